"""The hop in Kafka Streams: its jars and its protoc by Maven, compiled once."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import grpc_tools

from services.cli.local.home import CHECKOUT

SOURCES = Path(__file__).parent
BUILT = CHECKOUT / "build" / "bench-streams"
PROTOS = CHECKOUT / "protos"
NEEDED = (
    "buf/validate/validate.proto",
    *(f"safeguarding/v1/{name}.proto" for name in ("access_control", "common", "concern", "intake")),
)
BUILD_SECONDS = 600


@cache
def command() -> list[str]:
    """What runs the arm, with the memory that a JVM takes by itself. Raises CalledProcessError."""
    stamp = BUILT / ".sources"
    if not stamp.is_file() or stamp.read_text() != _digest():
        _build()
        stamp.write_text(_digest())
    return ["java", "-cp", f"{BUILT}/classes:{BUILT}/jars/*", "Hop"]


def _build() -> None:
    shutil.rmtree(BUILT, ignore_errors=True)
    made, classes, jars = BUILT / "java", BUILT / "classes", BUILT / "jars"
    for folder in (made, classes):
        folder.mkdir(parents=True)
    maven = ["mvn", "-B", "-q", "-f", str(SOURCES / "pom.xml")]
    _run([*maven, "dependency:copy-dependencies", f"-DoutputDirectory={jars}"])
    _run([*maven, "dependency:copy", f"-Dartifact={_protoc()}", f"-DoutputDirectory={BUILT}"])
    [protoc] = BUILT.glob("protoc-*.exe")
    protoc.chmod(0o755)
    # That of grpcio-tools makes no Java; it brings the sources that both import.
    own = Path(grpc_tools.__file__).parent / "_proto"
    _run([str(protoc), f"-I{PROTOS}", f"-I{own}", f"--java_out={made}", *NEEDED])
    sources = [str(file) for file in (*made.rglob("*.java"), SOURCES / "Hop.java")]
    _run(["javac", "-nowarn", "-cp", f"{jars}/*", "-d", str(classes), *sources])


def _protoc() -> str:
    """Maven's name of the compiler whose Java the runtime of the pom reads."""
    [version] = re.findall(r"protobuf-java</artifactId>\s*<version>([^<]+)<", (SOURCES / "pom.xml").read_text())
    system = {"Linux": "linux", "Darwin": "osx"}[platform.system()]
    machine = {"aarch64": "aarch_64", "arm64": "aarch_64"}.get(platform.machine(), platform.machine())
    return f"com.google.protobuf:protoc:{version}:exe:{system}-{machine}"


def _run(words: list[str]) -> None:
    subprocess.run(words, cwd=CHECKOUT, check=True, timeout=BUILD_SECONDS, stdout=sys.stderr)


def _digest() -> str:
    found = hashlib.sha256()
    for file in (*sorted(SOURCES.iterdir()), *(PROTOS / name for name in NEEDED)):
        if file.is_file():
            found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()
