import jax
import jax.numpy as jnp
import pytest

from spectral_jax.measure.pod import hlo

KNOWN = ', backend_config={"known_trip_count":{"n":"3"}}'
NESTED = """HloModule jit_f, is_scheduled=true, num_partitions=8

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%inner_condition (p.1: (s32[], f32[8])) -> pred[] {
  %p.1 = (s32[]{:T(128)}, f32[8]{0:T(256)}) parameter(0)
  %i.1 = s32[]{:T(128)} get-tuple-element(%p.1), index=0
  %length = s32[]{:T(128)} constant(5)
  ROOT %less = pred[]{:T(512)} compare(%i.1, %length), direction=LT
}

%inner_body (p.2: (s32[], f32[8])) -> (s32[], f32[8]) {
  ROOT %p.2 = (s32[], f32[8]) parameter(0)
}

%outer_condition (p.3: (s32[], f32[8])) -> pred[] {
  %p.3 = (s32[], f32[8]) parameter(0)
  ROOT %go = pred[] custom-call(%p.3), custom_call_target="Decide"
}

%outer_body (p.4: (s32[], f32[8])) -> (s32[], f32[8]) {
  %p.4 = (s32[], f32[8]) parameter(0)
  ROOT %while.1 = (s32[], /*index=1*/f32[8]) while(%p.4), condition=%inner_condition, body=%inner_body
}

%left (p.5: f32[8]) -> f32[8] {
  ROOT %p.5 = f32[8]{0} parameter(0)
}

ENTRY %main (x: (s32[], f32[8])) -> f32[8] {
  %x = (s32[], f32[8]{0}) parameter(0)
  %while.2 = (s32[], f32[8]) while(%x), condition=%outer_condition, body=%outer_bodyKNOWN
  %while.3 = (s32[], f32[8]) while(%while.2), condition=%outer_condition, body=%unread
  %tile = bf16[2,15,96]{2,1,0:T(8,128)(2,1)S(1)} custom-call(), custom_call_target="AllocateBuffer"
  %y = f32[8]{0} get-tuple-element(%while.3), index=1
  ROOT %choice = f32[8]{0} conditional(%y, %y, %y), branch_computations={%left, %left}
}
""".replace("KNOWN", KNOWN)


def test_rounds_of_nested_loops_multiply():
    runs = hlo.read(NESTED).runs
    assert runs["main"] == hlo.Runs(1, in_loop=False, known=True)
    assert runs["outer_body"] == hlo.Runs(3, in_loop=True, known=True)
    assert runs["inner_body"] == hlo.Runs(15, in_loop=True, known=True)
    assert runs["left"] == hlo.Runs(2, in_loop=False, known=True)
    assert "add" not in runs


def test_a_loop_of_unknown_length_counts_once_and_says_so():
    text = NESTED.replace(KNOWN, "")
    runs = hlo.read(text).runs
    assert runs["outer_body"] == hlo.Runs(1, in_loop=True, known=False)
    assert runs["inner_body"] == hlo.Runs(5, in_loop=True, known=False)


def test_types_know_padding_and_fast_memory():
    program = hlo.read(NESTED)
    assert program.devices == 8
    tile = next(one for one in program.computations["main"] if one.name == "tile")
    (array,) = tile.arrays
    assert (array.dtype, array.shape, array.padded, array.on_chip) == ("bf16", (2, 15, 96), (2, 16, 128), True)
    assert (array.bytes, array.tiled_bytes, array.hbm_bytes) == (2 * 15 * 96 * 2, 2 * 16 * 128 * 2, 0)


def test_a_compiled_scan_has_its_length():
    def loop(x):
        return jax.lax.scan(lambda h, _: (jnp.sin(h @ h), None), x, None, length=7)[0]

    text = jax.jit(loop).lower(jnp.ones((16, 16))).compile().as_text()
    assert {found.count for found in hlo.read(text).runs.values() if found.in_loop} >= {7}


def test_other_texts_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="hlo: expected the text of a compiled program, with a computation ENTRY"):
        hlo.read("module @jit_f {\n}\n")
