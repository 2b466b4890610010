"""The ONNX graph against torch, and the reading of checkpoints without torch."""

from __future__ import annotations

import math
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postscope.indexing.encoders import weights
from postscope.indexing.encoders.efficientnet import LITE0, LITE2, Variant, build_graph, cached_graph
from postscope.indexing.encoders.onnx_session import open_session
from postscope.indexing.encoders.torch_weights import UnreadableWeights, read_torch_weights

CHECKPOINTS = {LITE0: weights.EFFICIENTNET_LITE0, LITE2: weights.EFFICIENTNET_LITE2}
BOTH = pytest.mark.parametrize("variant", [LITE0, LITE2], ids=lambda v: v.name)


def pixels(variant: Variant, n: int = 3) -> np.ndarray:
    random = np.random.default_rng(7)
    coarse = random.integers(0, 256, (n, 13, 13, 3)).repeat(20, axis=1).repeat(20, axis=2)
    return coarse[:, : variant.size, : variant.size].astype(np.uint8)


# --- the graph ----------------------------------------


def torch_outputs(variant: Variant, state: dict[str, np.ndarray], images: np.ndarray) -> tuple:
    """The published architecture in torch, batch norms apart and padding done before each convolution."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    state = {name: torch.from_numpy(np.array(value)) for name, value in state.items()}

    def convolve(x, layer, norm, stride=1, bounded=True):
        weight = state[f"{layer}.weight"]
        kernel, size = weight.shape[-1], x.shape[-1]
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        x = functional.pad(x, [total // 2, total - total // 2] * 2)
        x = functional.conv2d(x, weight, stride=stride, groups=len(weight) if weight.shape[1] == 1 else 1)
        mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        x = functional.batch_norm(x, mean, var, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3)
        return functional.relu6(x) if bounded else x

    strides = [s for n, s in zip(variant.repeats, (1, 2, 2, 2, 1, 2, 1), strict=True) for s in [s] + [1] * (n - 1)]
    with torch.inference_mode():
        x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
        x = convolve(x, "_conv_stem", "_bn0", stride=2)
        for i, stride in enumerate(strides):
            b, y = f"_blocks.{i}.", x
            if f"{b}_expand_conv.weight" in state:
                y = convolve(y, f"{b}_expand_conv", f"{b}_bn0")
            y = convolve(y, f"{b}_depthwise_conv", f"{b}_bn1", stride=stride)
            y = convolve(y, f"{b}_project_conv", f"{b}_bn2", bounded=False)
            x = x + y if x.shape == y.shape else y
        features = convolve(x, "_conv_head", "_bn1").mean(dim=(2, 3))
        logits = functional.linear(features, state["_fc.weight"], state["_fc.bias"])
        return logits.softmax(1).numpy(), features.numpy()


@BOTH
def test_graph_computes_what_torch_does(variant: Variant, tmp_path: Path) -> None:
    checkpoint = CHECKPOINTS[variant].locate()
    images = pixels(variant)
    expected = torch_outputs(variant, read_torch_weights(checkpoint), images)
    session = open_session(cached_graph(variant, checkpoint, tmp_path), threads=2)
    probabilities, features = session.run(["probabilities", "features"], {"pixels": images})
    np.testing.assert_allclose(probabilities, expected[0], atol=2e-5)
    np.testing.assert_allclose(features, expected[1], atol=2e-3)


def test_graph_is_written_once_and_a_second_start_reads_it(tmp_path: Path) -> None:
    checkpoint = CHECKPOINTS[LITE0].locate()
    first = cached_graph(LITE0, checkpoint, tmp_path / "made" / "here")
    stamp = first.stat().st_mtime_ns
    assert cached_graph(LITE0, checkpoint, tmp_path / "made" / "here") == first
    assert first.stat().st_mtime_ns == stamp
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_another_variants_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableWeights, match=r"left over|no tensor|do not fit"):
        cached_graph(LITE0, CHECKPOINTS[LITE2].locate(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_tensor_is_named() -> None:
    state = read_torch_weights(CHECKPOINTS[LITE0].locate())
    del state["_blocks.3._bn1.running_var"]
    with pytest.raises(UnreadableWeights, match=r"_blocks\.3\._bn1\.running_var"):
        build_graph(LITE0, state)


# --- the checkpoint ----------------------------------------


@BOTH
def test_tensors_are_those_torch_reads(variant: Variant) -> None:
    torch = pytest.importorskip("torch")
    path = CHECKPOINTS[variant].locate()
    expected = torch.load(path, map_location="cpu", weights_only=True)
    found = read_torch_weights(path)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), err_msg=name)


def test_views_of_one_storage_and_all_types(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    base = torch.arange(24, dtype=torch.float32)
    state = {"all": base, "turned": base.view(4, 6).T, "part": base[5:17:3], "scalar": torch.tensor(2.5)}
    state["empty"] = torch.empty(0, 3)
    for dtype in (torch.float64, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool):
        state[str(dtype)] = torch.tensor([[0, 1], [2, 3]]).to(dtype)
    path = tmp_path / "legacy.pth"
    torch.save(OrderedDict(state), path, _use_new_zipfile_serialization=False)
    found = read_torch_weights(path)
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), err_msg=name)
        assert found[name].shape == tuple(tensor.shape)


class Hostile:
    def __init__(self, call: object, *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple:
        return self.call, self.arguments


def checkpoint_of(state: object) -> bytes:
    """A legacy file whose header is sound and whose object is ``state``."""
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, state, []]
    return b"".join(pickle.dumps(part, protocol=2) for part in parts)


@pytest.mark.parametrize("call", [os.mkdir, eval, exec, __import__, getattr, os.system], ids=lambda call: call.__name__)
def test_a_hostile_pickle_runs_nothing(call: object, tmp_path: Path) -> None:
    made = tmp_path / "made-by-the-pickle"
    arguments = {"mkdir": str(made), "system": f"mkdir {made}", "__import__": "antigravity"}
    argument = arguments.get(call.__name__, f"__import__('os').mkdir({str(made)!r})")
    for state in (Hostile(call, argument), OrderedDict(weight=Hostile(call, argument))):
        path = tmp_path / "hostile.pth"
        path.write_bytes(checkpoint_of(state))
        with pytest.raises(UnreadableWeights, match="asks for"):
            read_torch_weights(path)
    path.write_bytes(pickle.dumps(Hostile(call, argument), protocol=2))
    with pytest.raises(UnreadableWeights, match="asks for"):
        read_torch_weights(path)
    assert not made.exists()


def test_what_is_not_a_state_dict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.pth"
    for state in ([], 3, {"weight": 3}, {3: 4}, OrderedDict(weight=OrderedDict())):
        path.write_bytes(checkpoint_of(state))
        with pytest.raises(UnreadableWeights):
            read_torch_weights(path)


def number(n: int) -> bytes:
    return b"J" + struct.pack("<i", n)


def tensor_file(shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0, *, numel: int = 6) -> bytes:
    """A checkpoint of one tensor ``w`` on a storage of the floats 0 to 5, by hand: torch may be absent."""
    body = b"\x80\x02}(X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n("
    body += b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x03\x00\x00\x00keyX\x03\x00\x00\x00cpu"
    body += number(numel) + b"NtQ" + number(offset)
    body += b"(" + b"".join(map(number, shape)) + b"t(" + b"".join(map(number, strides)) + b"t\x89NtRu."
    head = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    tail = pickle.dumps(["key"], protocol=2) + struct.pack("<q", 6) + struct.pack("<6f", *range(6))
    return b"".join(head) + body + tail


def test_a_tensor_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "by-hand.pth"
    path.write_bytes(tensor_file((2, 2), (3, 1), offset=1))
    np.testing.assert_array_equal(read_torch_weights(path)["w"], [[1, 2], [4, 5]])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(tensor_file((2, 3), (3, 1), offset=1), id="reaches one element beyond"),
        pytest.param(tensor_file((7,), (1,)), id="longer than its storage"),
        pytest.param(tensor_file((2_000_000_000,), (0,)), id="stride zero to seem huge"),
        pytest.param(tensor_file((2_000_000_000, 2_000_000_000, 2_000_000_000), (0, 0, 0)), id="overflowing size"),
        pytest.param(tensor_file((3,), (1,), offset=-1), id="negative offset"),
        pytest.param(tensor_file((3,), (-1,), offset=4), id="negative stride"),
        pytest.param(tensor_file((-3,), (1,)), id="negative length"),
        pytest.param(tensor_file((3,), ()), id="no strides"),
        pytest.param(tensor_file((6,), (1,), numel=2_000_000_000), id="storage of another size"),
        pytest.param(b"", id="empty file"),
        pytest.param(b"PK\x03\x04" + bytes(100), id="zip layout"),
    ],
)
def test_a_malformed_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "malformed.pth"
    path.write_bytes(content)
    with pytest.raises(UnreadableWeights):
        read_torch_weights(path)


def test_a_checkpoint_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = tensor_file((2, 3), (3, 1))
    path = tmp_path / "cut.pth"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableWeights):
            read_torch_weights(path)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_damage_is_refused_or_still_gives_tensors(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(tensor_file((2, 3), (3, 1)))
    for position, value in changes:
        content[position % len(content)] = value
    path = tmp_path / "damaged.pth"
    path.write_bytes(content)
    try:
        tensors = read_torch_weights(path)
    except UnreadableWeights:
        return
    assert all(tensor.size <= 6 for tensor in tensors.values())
