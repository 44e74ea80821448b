"""Generates build/protos, the Python of every .proto under protos/, and the descriptor set beside it.

The generated modules check the version of their runtime, so they are made from the pinned tools and never
committed. `build/protos` is a link to `build/protos-<digest of everything that goes in>`: equal input needs
no work, and a reader sees the whole old tree or the whole new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TOOLS = ("grpcio-tools", "mypy-protobuf", "googleapis-common-protos")
DESCRIPTORS = "descriptors.binpb"


class ProtosRefused(Exception):
    """The compiler refused the protos, or is not whole itself; protoc's own words are on standard error."""


def make(root: Path) -> bool:
    """Bring `root`/build/protos up to date with `root`/protos; tell whether anything had to be done.

    Raises ProtosRefused, and leaves what was there, when the protos do not compile.
    """
    source, build = root / "protos", root / "build"
    build.mkdir(exist_ok=True)
    with _alone(build / "protos.lock"):
        tree = build / f"protos-{_digest(source)}"
        link = build / "protos"
        if link.is_symlink() and os.readlink(link) == tree.name and tree.is_dir():
            return False
        if not tree.is_dir():
            _generate_whole(source, tree)
        _point(link, tree)
        for old in build.glob("protos-*"):
            if old != tree:
                shutil.rmtree(old)
    return True


def generate(source: Path, into: Path) -> None:
    """Compile every .proto under `source` into the empty folder `into`. Raises ProtosRefused."""
    protos = sorted(str(path.relative_to(source)) for path in source.rglob("*.proto"))
    if not protos:
        raise ProtosRefused(f"no .proto files under {source}")
    _protoc(
        [
            *(f"-I{folder}" for folder in (source, *_included())),
            f"--plugin=protoc-gen-mypy={_plugin('protoc-gen-mypy')}",
            f"--plugin=protoc-gen-mypy_grpc={_plugin('protoc-gen-mypy_grpc')}",
            f"--python_out={into}",
            # Not --pyi_out: it writes the same files as --mypy_out, which types more (services, enums).
            f"--mypy_out=quiet:{into}",
            f"--grpc_python_out={into}",
            f"--mypy_grpc_out=quiet,only_sync:{into}",
            f"--descriptor_set_out={into / DESCRIPTORS}",
            "--include_imports",
            "--include_source_info",
            *protos,
        ]
    )
    _make_packages(into)


def _make_packages(tree: Path) -> None:
    """Make each folder an ordinary typed package, so that no namespace package elsewhere mixes with it."""
    for folder in (path for path in tree.rglob("*") if path.is_dir()):
        (folder / "__init__.py").write_text('"""Generated from protos/ by deploy/make_protos.py."""\n')
    for package in (path for path in tree.iterdir() if path.is_dir()):
        (package / "py.typed").touch()


def _generate_whole(source: Path, tree: Path) -> None:
    """Generate beside `tree` and rename, so that `tree` exists only when all of it does."""
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".protos-") as folder:
        fresh = Path(folder) / "tree"
        fresh.mkdir()
        generate(source, fresh)
        fresh.rename(tree)


def _point(link: Path, tree: Path) -> None:
    if link.is_dir() and not link.is_symlink():  # laid here by hand; a link cannot replace a folder
        shutil.rmtree(link)
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(tree.name)
    fresh.replace(link)


def _digest(source: Path) -> str:
    """Name everything that the result depends on: the protos, the tools and this file."""
    digest = hashlib.sha256()
    for tool in TOOLS:
        digest.update(f"{tool} {importlib.metadata.version(tool)}\0".encode())
    for path in (Path(__file__), *sorted(source.rglob("*.proto"))):
        name = path.relative_to(source) if path.is_relative_to(source) else path.name
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _included() -> Iterator[Path]:
    """Yield where google/protobuf (from the compiler) and google/rpc (from googleapis) are imported from."""
    yield Path(str(importlib.metadata.distribution("grpcio-tools").locate_file("grpc_tools/_proto")))
    yield Path(str(importlib.metadata.distribution("googleapis-common-protos").locate_file("")))


def _plugin(name: str) -> str:
    """Find a protoc plugin beside this Python, or on the PATH that a build front end prepared."""
    search = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    found = shutil.which(name, path=search)
    if found is None:
        raise ProtosRefused(f"{name} is not installed; `make protos` installs and runs it")
    return found


def _protoc(arguments: Sequence[str]) -> None:
    from grpc_tools import protoc  # here, not above: it loads the compiler, and most calls need none

    if protoc.main(["protoc", *arguments]) != 0:
        raise ProtosRefused("protoc refused the protos; its reasons are above")


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait for our turn, so that two builds at once do not remove each other's work."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Make build/protos of the checkout that this file is in."""
    try:
        done = make(Path(__file__).resolve().parent.parent)
    except ProtosRefused as refusal:
        print(f"make_protos: {refusal}", file=sys.stderr)
        return 1
    print("build/protos: made" if done else "build/protos: up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
