"""ONNX Runtime must leave nothing on disk, and only one module may load it."""

import os
import subprocess
import sys
from pathlib import Path

import postscope

RUN_A_SESSION = """
import os
import numpy as np
from onnx import TensorProto, helper
from postscope.indexing.encoders.onnx_session import open_session

value = helper.make_tensor_value_info
graph = helper.make_graph(
    [helper.make_node("Neg", ["x"], ["y"])], "negate",
    [value("x", TensorProto.FLOAT, [1])], [value("y", TensorProto.FLOAT, [1])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
session = open_session(model.SerializeToString(), threads=1)
assert session.run(None, {"x": np.ones(1, np.float32)})[0].tolist() == [-1.0]
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
"""


def test_a_session_writes_nothing_to_disk(tmp_path: Path):
    homes = {name: str(tmp_path / name) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    homes |= {"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "tmp")}
    for folder in homes.values():
        Path(folder).mkdir()
    root = Path(postscope.__file__).parent.parent
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
        **homes,
    }
    subprocess.run([sys.executable, "-c", RUN_A_SESSION], env=environment, cwd=tmp_path, check=True, timeout=120)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_only_the_session_module_imports_onnxruntime():
    package = Path(postscope.__file__).parent
    importers = {
        path.name
        for path in package.rglob("*.py")
        for line in path.read_text().splitlines()
        if line.strip().startswith(("import onnxruntime", "from onnxruntime"))
    }
    assert importers == {"onnx_session.py"}
