"""The generated protos are made when something changed, whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from deploy import make_protos

GREETING = """
syntax = "proto3";
package hall.v1;
import "google/rpc/status.proto";
// Said at the door.
message Greeting {
  // The words.
  string words = 1;
  // Why it could not be said.
  google.rpc.Status refused = 2;
}
service Door {
  rpc Greet(Greeting) returns (Greeting);
}
"""


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    greeting = folder / "protos" / "hall" / "v1" / "greeting.proto"
    greeting.parent.mkdir(parents=True)
    greeting.write_text(GREETING)
    assert make_protos.make(folder)
    return folder


@pytest.fixture
def checkout(made_once: Path, tmp_path: Path) -> Path:
    """A copy of one whose protos are made."""
    return shutil.copytree(made_once, tmp_path / "checkout", symlinks=True)


def test_messages_services_and_their_types_can_be_imported(checkout: Path) -> None:
    made = checkout / "build" / "protos"
    assert {path.name for path in (made / "hall" / "v1").iterdir()} == {
        "__init__.py",
        "greeting_pb2.py",
        "greeting_pb2.pyi",
        "greeting_pb2_grpc.py",
        "greeting_pb2_grpc.pyi",
    }
    assert (made / "hall" / "py.typed").exists()
    program = "from hall.v1 import greeting_pb2, greeting_pb2_grpc as g; g.DoorStub; greeting_pb2.Greeting()"
    subprocess.run([sys.executable, "-c", program], cwd=made, check=True)


def test_descriptor_set_holds_imports_and_comments(checkout: Path) -> None:
    held = FileDescriptorSet.FromString((checkout / "build" / "protos" / "descriptors.binpb").read_bytes())
    files = {file.name: file for file in held.file}
    assert "google/rpc/status.proto" in files
    comments = [place.leading_comments for place in files["hall/v1/greeting.proto"].source_code_info.location]
    assert " Said at the door.\n" in comments


def test_nothing_is_done_when_nothing_changed(checkout: Path) -> None:
    assert not make_protos.make(checkout)


def test_a_changed_proto_replaces_the_old_tree_and_leaves_nothing_of_it(checkout: Path) -> None:
    folder = checkout / "protos" / "hall" / "v1"
    (folder / "greeting.proto").rename(folder / "farewell.proto")

    assert make_protos.make(checkout)

    assert not (checkout / "build" / "protos" / "hall" / "v1" / "greeting_pb2.py").exists()
    assert (checkout / "build" / "protos" / "hall" / "v1" / "farewell_pb2.py").exists()
    assert len(list((checkout / "build").glob("protos-*"))) == 1


def test_protos_that_do_not_compile_leave_what_was_there(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (checkout / "protos" / "hall" / "v1" / "greeting.proto").write_text('syntax = "proto3"; message {')

    with pytest.raises(make_protos.ProtosRefused):
        make_protos.make(checkout)

    assert "greeting.proto:1" in capfd.readouterr().err
    assert (checkout / "build" / "protos" / "hall" / "v1" / "greeting_pb2.py").exists()
    assert len(list((checkout / "build").glob("*protos-*"))) == 1


def test_a_tree_that_somebody_took_away_is_made_again(checkout: Path) -> None:
    tree = (checkout / "build" / "protos").resolve()
    tree.rename(tree.with_name("elsewhere"))

    assert make_protos.make(checkout)
    assert (checkout / "build" / "protos" / "hall" / "v1" / "greeting_pb2.py").exists()
