"""The jars of broker and store: fetched by Maven once for the checkout, whole or not at all."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from services.cli.local.errors import StackError
from services.cli.local.home import CHECKOUT

SOURCES = CHECKOUT / "deploy" / "local"
JARS = CHECKOUT / "build" / "jars"
NAMES = ("kafka", "mongo")
FETCH_SECONDS = 300


def classpath(name: str) -> str:
    """Java's word for all jars of a program."""
    return f"{JARS / name}/*"


def present(name: str) -> bool:
    """Whether the jars are there and are those of the sources as they are now."""
    stamp = JARS / name / ".sources"
    return stamp.is_file() and stamp.read_text() == _digest(name)


def fetch_all(names: Iterable[str], progress: Callable[[str], None]) -> None:
    """Bring what is missing, side by side."""
    missing = [name for name in names if not present(name)]
    if missing:
        progress("fetching the jars of broker and store (once for this checkout)")
        with ThreadPoolExecutor() as pool:
            for fetching in [pool.submit(fetch, name) for name in missing]:
                fetching.result()


def fetch(name: str) -> None:
    """Bring the jars and compile what lies beside the pom; one process at a time, the others wait."""
    if present(name):
        return
    JARS.mkdir(parents=True, exist_ok=True)
    with (JARS / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not present(name):
            _fetch(name)


def _fetch(name: str) -> None:
    unfinished = JARS / f".{name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    goal = "dependency:copy-dependencies"
    pom = SOURCES / name / "pom.xml"
    _run(["mvn", "-B", "-q", "-f", str(pom), goal, f"-DoutputDirectory={unfinished}"])
    sources = sorted(map(str, (SOURCES / name).glob("*.java")))
    if sources:
        classes = unfinished / "classes"
        _run(["javac", "-cp", f"{unfinished}/*", "-d", str(classes), *sources])
        _run(["jar", "--create", "--file", str(unfinished / "local.jar"), "-C", str(classes), "."])
        shutil.rmtree(classes)
    (unfinished / ".sources").write_text(_digest(name))
    shutil.rmtree(JARS / name, ignore_errors=True)
    os.replace(unfinished, JARS / name)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    except FileNotFoundError as error:
        raise StackError(f"{command[0]} is not installed: `referrals doctor` names what is missing") from error
    except subprocess.TimeoutExpired as error:
        raise StackError(
            f"{command[0]} did not end within {FETCH_SECONDS} s; see that Maven Central answers"
        ) from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise StackError(f"{command[0]} failed: " + "\n".join(lines[:10]))


def _digest(name: str) -> str:
    found = hashlib.sha256()
    for file in sorted((SOURCES / name).iterdir()):
        if file.suffix in {".xml", ".java"}:
            found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()
