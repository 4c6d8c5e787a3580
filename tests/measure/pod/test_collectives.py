import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from spectral_jax.measure.pod import collectives
from spectral_jax.measure.pod.collectives import Collective

HEAD = "HloModule jit_f, is_scheduled=true, replica_count=1, num_partitions=16\n\n"


def entry(*lines):
    return HEAD + "ENTRY %main (x: f32[4]) -> f32[4] {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def test_kinds_bytes_and_groups_of_plain_ones():
    text = entry(
        "%x = f32[4,8]{1,0} parameter(0)",
        "%a = f32[4,8]{1,0} all-reduce(%x), channel_id=1, replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add",
        "%b = (f32[2,8]{1,0}, bf16[4]{0}) all-reduce(%x, %x), channel_id=2, replica_groups=[4,4]<=[16], to_apply=%add",
        "%c = bf16[64,8]{1,0} all-gather(%x), channel_id=3, replica_groups={}, dimensions={0}",
        "%d = f32[1,8]{1,0} reduce-scatter(%x), channel_id=4, replica_groups=[2,8]<=[2,8]T(1,0), to_apply=%add",
        "%e = f32[4,8]{1,0} collective-permute(%x), channel_id=5, source_target_pairs={{0,1},{1,0}}",
        "%f = f32[4,8]{1,0} all-to-all(%x), channel_id=6, replica_groups={{0},{1}}",
        "ROOT %y = f32[4,8]{1,0} all-reduce(%x), channel_id=7, replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add",
    )
    found = collectives.of(text)
    assert found == [
        Collective("all-gather", "bf16", 1024, 16),
        Collective("all-reduce", "f32", 128, 4, count=2),
        Collective("collective-permute", "f32", 128, 2),
        Collective("reduce-scatter", "f32", 128, 8),
        Collective("all-reduce", "bf16+f32", 72, 4),
    ]
    assert collectives.step_bytes(found, "all-reduce") == 2 * 128 + 72
    assert [one.sent_bytes for one in found] == [15 / 16 * 1024, 2 * 2 * 3 / 4 * 128, 128, 7 / 8 * 128, 2 * 3 / 4 * 72]


@pytest.mark.parametrize(
    ("groups", "size"),
    [
        ("replica_groups=mesh['axis_0'=1,'axis_1'=4,'axis_2'=4], device_ids=([4,4]T(1,0)) {'axis_1'}, dimensions={2}", 4),
        ("replica_groups=mesh['a'=8,'b'=2] {'a','b'}, use_global_device_ids=true", 16),
        ("replica_groups=mesh['a'=8,'b'=2] {'a':(2)4,'b'}", 8),
        ("replica_groups={{0,2,4},{1,3,5}}", 3),
        ("replica_groups=[32,8]<=[8,32]T(1,0)", 8),
        ("use_global_device_ids=true", 64),
    ],
)
def test_every_way_in_which_groups_are_written(groups, size):
    assert collectives.group_size(f"), channel_id=1, {groups}", 64) == size


def test_starts_and_ends_count_once():
    text = entry(
        "%x = f32[4,8]{1,0} parameter(0)",
        "%g = (f32[4,8]{1,0}, f32[16,8]{1,0}) all-gather-start(%x), channel_id=1, replica_groups={{0,1,2,3}}, dimensions={0}",
        "%h = f32[16,8]{1,0} all-gather-done(%g)",
        "%r = f32[4,8]{1,0} all-reduce-start(%x), channel_id=2, replica_groups={{0,1,2,3}}, to_apply=%add",
        "%s = f32[4,8]{1,0} all-reduce-done(%r)",
        "%p = (f32[4,8]{1,0}, f32[4,8]{1,0}, u32[], u32[]) collective-permute-start(%x), channel_id=3, "
        "source_target_pairs={{0,1}}",
        "ROOT %q = f32[4,8]{1,0} collective-permute-done(%p)",
    )
    assert collectives.of(text) == [
        Collective("all-gather", "f32", 512, 4), Collective("all-reduce", "f32", 128, 4),
        Collective("collective-permute", "f32", 128, 2),
    ]  # fmt: skip


def test_what_goes_between_slices_is_told_apart():
    marks = (
        'frontend_attributes={_xla_host_transfer_handler_name="xla_megascale_runtime",_xla_megascale_target="{1,2,3}x{0:15}",'
        '_xla_megascale_transfer_type="ALL_REDUCE"}'
    )
    text = entry(
        "%x = bf16[64,8]{1,0} parameter(0)",
        "%t = token[] after-all()",
        f"%s = (bf16[64,8]{{1,0}}, u32[], token[]) send(%x, %t), channel_id=2, is_host_transfer=true, {marks}",
        "%d = token[] send-done(%s), channel_id=2, is_host_transfer=true",
        "ROOT %r = bf16[64,8]{1,0} all-reduce(%x), channel_id=2, replica_groups={{0,1}}, to_apply=%add",
    )
    found = collectives.of(text)
    across, within = Collective("all-reduce", "bf16", 1024, 3, between_slices=True), Collective("all-reduce", "bf16", 1024, 2)
    assert sorted(found, key=lambda one: one.group_size) == [within, across]
    assert across.sent_bytes == 2 * 2 / 3 * 1024
    assert collectives.step_bytes(found, "all-reduce") == 1024


TPU = (
    HEAD
    + """%begin (p.1: bf16[4,8]) -> (bf16[4,8], bf16[16,8]) {
  %p.1 = bf16[4,8]{1,0:T(8,128)(2,1)} parameter(0)
  %g.1 = bf16[16,8]{1,0:T(8,128)(2,1)} all-gather(%p.1), channel_id=9, replica_groups={{0,1,2,3}}, dimensions={0}
  ROOT %c.1 = (bf16[4,8], bf16[16,8]) custom-call(%g.1), custom_call_target="AsyncCollectiveStart"
}

%along (p.2: bf16[4,8]) -> bf16[16,8] {
  %p.2 = bf16[4,8]{1,0} parameter(0)
  ROOT %g.2 = bf16[16,8]{1,0} all-gather(%p.2), channel_id=9, replica_groups={{0,1,2,3}}, dimensions={0}
}

%all-reduce-scatter.1 (p.3: bf16[16,8]) -> bf16[4,8] {
  %p.3 = bf16[16,8]{1,0} parameter(0)
  %zero = s32[] constant(0)
  %r.3 = bf16[16,8]{1,0} all-reduce(%p.3), channel_id=5, replica_groups={{0,1,2,3}}, to_apply=%add
  ROOT %s.3 = bf16[4,8]{1,0} dynamic-slice(%r.3, %zero, %zero), dynamic_slice_sizes={4,8}
}

%condition (p.4: (s32[], bf16[4,8])) -> pred[] {
  %p.4 = (s32[], bf16[4,8]) parameter(0)
  %i.4 = s32[] get-tuple-element(%p.4), index=0
  %length = s32[] constant(6)
  ROOT %less = pred[] compare(%i.4, %length), direction=LT
}

%body (p.5: (s32[], bf16[4,8])) -> (s32[], bf16[4,8]) {
  %p.5 = (s32[], bf16[4,8]) parameter(0)
  %w.5 = bf16[4,8]{1,0} get-tuple-element(%p.5), index=1
  %start = (bf16[4,8], bf16[16,8]) fusion(%w.5), kind=kCustom, calls=%begin
  %with = bf16[16,8]{1,0} fusion(%w.5), kind=kCustom, calls=%along
  ROOT %both = (s32[], bf16[4,8]) fusion(%with), kind=kCustom, calls=%all-reduce-scatter.1
}

ENTRY %main (x: (s32[], bf16[4,8])) -> (s32[], bf16[4,8]) {
  %x = (s32[], bf16[4,8]) parameter(0)
  ROOT %loop = (s32[], bf16[4,8]) while(%x), condition=%condition, body=%body
}
"""
)


def test_what_tpus_fuse_with_other_work_counts_once_a_round():
    assert collectives.of(TPU) == [
        Collective("all-gather", "bf16", 256, 4, runs=6, in_loop=True),
        Collective("reduce-scatter", "bf16", 256, 4, runs=6, in_loop=True),
    ]


def mesh_of(devices):
    return Mesh(np.asarray(devices).reshape(2, 4), ("data", "fsdp"))


def gradient_step(devices, w_spec):
    """Mean of squares of x @ w, x float32 [64 32] split over all devices, w float32 [32 16]: its gradient, as w lies."""
    mesh = mesh_of(devices)
    w, x = NamedSharding(mesh, w_spec), NamedSharding(mesh, P(("data", "fsdp")))
    step = jax.jit(jax.grad(lambda w, x: jnp.mean((x @ w) ** 2)), in_shardings=(w, x), out_shardings=w)
    shapes = jax.ShapeDtypeStruct((32, 16), jnp.float32), jax.ShapeDtypeStruct((64, 32), jnp.float32)
    return step.lower(*shapes).compile().as_text()


@pytest.mark.multidevice
def test_data_parallelism_adds_up_the_gradient_once():
    assert collectives.of(gradient_step(jax.devices(), P())) == [Collective("all-reduce", "f32", 32 * 16 * 4, 8)]


@pytest.mark.multidevice
def test_gathered_weights_are_gathered_and_their_gradients_added_up():
    found = collectives.of(gradient_step(jax.devices(), P(None, "fsdp")))
    gathered = [one for one in found if one.kind == "all-gather"]
    assert gathered == [Collective("all-gather", "f32", 32 * 16 * 4, 4, count=gathered[0].count)]
    assert not any(one.in_loop for one in found)
    assert {one.kind for one in found} <= {"all-gather", "all-reduce", "reduce-scatter"}
    assert sum(one.step_bytes for one in found if one.kind != "all-gather") >= 32 * 16 * 4


@pytest.mark.multidevice
def test_a_sum_in_a_loop_is_told_with_its_rounds():
    mesh = mesh_of(jax.devices())

    def loop(x):
        return jax.lax.scan(lambda h, _: (jnp.tanh(h - jax.lax.psum(h, "data")), None), x, None, length=5)[0]

    each = jax.shard_map(loop, mesh=mesh, in_specs=P("data"), out_specs=P("data"), check_vma=False)
    found = collectives.of(jax.jit(each).lower(jnp.zeros((8, 4))).compile().as_text())
    assert found == [Collective("all-reduce", "f32", 4 * 4 * 4, 2, runs=5, in_loop=True)]
    assert found[0].step_bytes == 5 * 64
    assert found[0].sent_bytes == 5 * 64.0


def test_collectives_of_one_channel_in_one_computation_are_counted_each():
    """Inside `shard_map` all have channel 1."""
    text = (
        HEAD
        + """ENTRY %main (x: f32[4,8], y: f32[4,8]) -> (f32[4,8], f32[4,8]) {
  %x = f32[4,8]{1,0} parameter(0)
  %y = f32[4,8]{1,0} parameter(1)
  %a = f32[4,8]{1,0} all-reduce(%x), channel_id=1, replica_groups={{0,1,2,3}}, to_apply=%add
  %b = f32[4,8]{1,0} all-reduce(%y), channel_id=1, replica_groups={{0,1,2,3}}, to_apply=%add
  ROOT %both = (f32[4,8], f32[4,8]) tuple(%a, %b)
}
"""
    )
    assert collectives.of(text) == [Collective("all-reduce", "f32", 128, 4, count=2)]
