"""The local Kafka node: its settings, its storage and the command that runs it."""

import base64
import string
import subprocess
import uuid
from pathlib import Path

from services.cli.local import home as files
from services.cli.local import jars
from services.cli.local.credentials import ADMIN, BROKER_USERS, CONTROLLER, Credentials
from services.cli.local.errors import StackError
from services.cli.local.home import Home

PORTS = ("kafka", "partners", "controller")
FORMAT_SECONDS = 60
QUICK_START = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


def settings_file(home: Home) -> Path:
    """What the broker reads at its start; made anew by each `up`, with passwords in it."""
    return home.data / "kafka.properties"


def store(home: Home) -> Path:
    """The broker's log folder: all records of all topics."""
    return home.data / "kafka"


def write_settings(home: Home, ports: dict[str, int], secrets: Credentials) -> None:
    """Write its settings for these ports and passwords, in the place of earlier ones."""
    template = string.Template((jars.SOURCES / "kafka" / "server.properties").read_text())
    rendered = template.substitute(
        data=store(home),
        services_port=ports["kafka"],
        partners_port=ports["partners"],
        controller_port=ports["controller"],
        admin_password=secrets[f"kafka.{ADMIN}"],
        controller_password=secrets[f"kafka.{CONTROLLER}"],
    )
    files.write(settings_file(home), rendered)


def format_storage(home: Home, secrets: Credentials) -> None:
    """Make the store with its users, once. Passwords go by a file: a command line is everybody's to read."""
    if (store(home) / "meta.properties").exists():
        return
    files.folder(store(home))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    users = [f"SCRAM-SHA-256=[name={user},password={secrets[f'kafka.{user}']}]" for user in BROKER_USERS]
    words = [*QUICK_START, "-cp", jars.classpath("kafka"), *_logging(), "kafka.tools.StorageTool", "format"]
    # One word: of 64 ids one begins with a hyphen, and would be taken for an option.
    words += [f"--cluster-id={cluster}", "-c", str(settings_file(home)), *(f"--add-scram={user}" for user in users)]
    arguments = home.data / "format.arguments"
    files.write(arguments, "\n".join(f'"{word}"' for word in words))
    try:
        command = ["java", f"@{arguments}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False, umask=0o077)
    finally:
        arguments.unlink()
    if done.returncode:
        raise StackError(f"Kafka could not make its store: {(done.stdout + done.stderr).strip()[-1000:]}")


def command(home: Home) -> list[str]:
    """What runs the broker in the foreground, with little memory and a quick start."""
    memory = ("-Xms256m", "-Xmx512m")
    return [
        "java",
        *memory,
        *QUICK_START,
        "-cp",
        jars.classpath("kafka"),
        *_logging(),
        "kafka.Kafka",
        str(settings_file(home)),
    ]


def _logging() -> list[str]:
    return [f"-Dlog4j2.configurationFile={jars.SOURCES / 'kafka' / 'log4j2.xml'}"]
