import jax
import jax.numpy as jnp
import pytest

from spectral_jax.measure.pod import hlo, traffic


def attention_gradient(w, x):
    def loss(w):
        return (jax.nn.softmax(jax.nn.gelu(x @ w) @ w) @ w.T).sum()

    return jax.grad(loss)(w)


def test_without_loops_it_is_what_xla_counts():
    compiled = jax.jit(attention_gradient).lower(jnp.ones((64, 64)), jnp.ones((512, 64))).compile()
    counted = traffic.step_bytes(hlo.read(compiled.as_text()))
    assert counted == pytest.approx(compiled.cost_analysis()["bytes accessed"], rel=1e-3)


def test_a_loop_counts_all_its_rounds():
    def rounds(length):
        def loop(x):
            return jax.lax.scan(lambda h, _: (jnp.sin(h @ x), None), x, None, length=length)[0]

        return traffic.step_bytes(hlo.read(jax.jit(loop).lower(jnp.ones((64, 64))).compile().as_text()))

    assert rounds(60) - rounds(30) == pytest.approx(rounds(90) - rounds(60), rel=0.01)
    # A round multiplies (two operands and a result) and takes the sine (an operand and a result), each of 16 KiB.
    assert (rounds(60) - rounds(30)) / 30 == pytest.approx(5 * 64 * 64 * 4, rel=0.01)


UPDATES = """HloModule jit_f, is_scheduled=true

%fused (p.0: f32[100,8,128], p.1: f32[100,8,128], p.2: s32[]) -> f32[100,8,128] {
  %p.0 = f32[100,8,128]{2,1,0} parameter(0)
  %p.1 = f32[100,8,128]{2,1,0} parameter(1)
  %p.2 = s32[] parameter(2)
  %zero = s32[] constant(0)
  %part = f32[1,8,128]{2,1,0} dynamic-slice(%p.1, %p.2, %zero, %zero), dynamic_slice_sizes={1,8,128}
  ROOT %new = f32[100,8,128]{2,1,0} dynamic-update-slice(%p.0, %part, %p.2, %zero, %zero)
}

ENTRY %main (a: f32[100,8,128], b: f32[100,8,128], i: s32[]) -> f32[100,8,128] {
  %a = f32[100,8,128]{2,1,0:T(8,128)} parameter(0)
  %b = f32[100,8,128]{2,1,0:T(8,128)} parameter(1)
  %i = s32[] parameter(2)
  %c = f32[100,8,128]{2,1,0:T(8,128)} fusion(%a, %b, %i), kind=kLoop, calls=%fused
  %d = f32[100,8,128]{2,1,0:T(8,128)S(1)} copy(%c)
  %e = f32[100,8,128]{2,1,0:T(8,128)S(1)} negate(%d)
  %f = f32[100,8,96]{2,1,0:T(8,128)S(1)} slice(%e), slice={[0:100], [0:8], [0:96]}
  ROOT %g = f32[100,8,96]{2,1,0:T(8,128)} copy(%f)
}
"""


def test_parts_updates_fast_memory_and_tiles_by_hand():
    part, whole = 8 * 128 * 4, 100 * 8 * 128 * 4
    # The fusion reads one part and its number and writes one part; the first copy reads all into fast memory; the last writes
    # 96 columns as 128.
    assert traffic.step_bytes(hlo.read(UPDATES)) == part + 4 + part + whole + whole


KERNEL = """HloModule jit_f, is_scheduled=true

ENTRY %main (a: f32[1024,128]) -> f32[1024,128] {
  %a = f32[1024,128]{1,0:T(8,128)} parameter(0)
  ROOT %b = f32[1024,128]{1,0:T(8,128)} custom-call(%a), custom_call_target="tpu_custom_call", backend_config={ESTIMATE}
}
"""


def test_a_kernel_counts_as_its_author_says_and_else_with_what_it_takes_and_gives():
    said = '"cost_estimate":{"flops":"123","transcendentals":"7","bytes_accessed":"4567890","remote_bytes_transferred":"0"}'
    assert traffic.step_bytes(hlo.read(KERNEL.replace("ESTIMATE", said))) == 4567890
    assert traffic.step_bytes(hlo.read(KERNEL.replace("ESTIMATE", ""))) == 2 * 1024 * 128 * 4


def test_a_slice_taken_ahead_counts_itself_and_not_what_it_is_of():
    """What XLA for TPU writes to fetch part of an array into fast memory before it is needed."""
    text = """HloModule jit_f, is_scheduled=true

ENTRY %main (a: f32[100,8,128]) -> f32[2,8,128] {
  %a = f32[100,8,128]{2,1,0:T(8,128)} parameter(0)
  %s = ((f32[100,8,128]{2,1,0:T(8,128)}), f32[2,8,128]{2,1,0:T(8,128)S(1)}, s32[]) slice-start(%a), slice={[0:2], [0:8]}
  %d = f32[2,8,128]{2,1,0:T(8,128)S(1)} slice-done(%s)
  ROOT %r = f32[2,8,128]{2,1,0:T(8,128)} copy(%d)
}
"""
    assert traffic.step_bytes(hlo.read(text)) == 2 * (2 * 8 * 128 * 4)  # read into fast memory, and written from it


def test_the_compilers_cycles_are_added_over_the_rounds_of_loops_and_not_inside_fusions():
    def with_cycles(line):
        return line + ', backend_config={"estimated_cycles":"100"}' if " = f32" in line and "(" in line else line

    text = "\n".join(map(with_cycles, UPDATES.split("\n")))
    assert traffic.step_cycles(hlo.read(UPDATES)) == 0
    counted = traffic.step_cycles(hlo.read(text))
    assert counted == 100 * text.split("ENTRY")[1].count("estimated_cycles")
