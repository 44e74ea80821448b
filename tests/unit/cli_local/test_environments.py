"""What `referrals up` writes for the services is what their settings and directory accept."""

import stat
from pathlib import Path

import pytest

from safeguarding.v1.access_control_pb2 import Role
from services.chassis import settings
from services.chassis.directory import Directory
from services.chassis.identity import ROLES, Name
from services.cli.local import credentials, directory, environments, plan
from services.cli.local.home import Home
from services.cli.local.supervisor import read_environment
from services.topics import SERVICES

PORTS = {name: 20000 + index for index, name in enumerate(plan.PORT_NAMES)}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    environments.write(home, PORTS, credentials.load(home), environments.default_area())
    return home


@pytest.mark.parametrize("service", SERVICES)
def test_every_common_setting_is_there_and_accepted(home: Home, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = service.replace("-", "_").upper() + "_"

    class Settings(settings.ServiceSettings, env_prefix=prefix):
        key_encryption_key: str = ""
        hpke_private_key: str = ""
        intake_address: str = ""
        linking_key: str = ""
        index_key: str = ""
        log: str = ""
        log_key: str = ""
        log_address: str = ""
        log_second_memory: str = ""

    for name, value in read_environment(home.environment(service)).items():
        monkeypatch.setenv(name, value)

    read = settings.read(Settings)

    assert (read.environment, read.kafka.username) == ("local", service)
    assert read.grpc_address == f"127.0.0.1:{PORTS[service]}"
    assert bool(read.key_encryption_key) == (service == "intake")
    assert bool(read.linking_key) == (service == "intake")
    assert bool(read.index_key) == (service == "triage")


def test_services_are_in_the_directory(home: Home) -> None:
    found = Directory(home.directory).find(Name(Role.ROLE_SERVICE, "triage"))

    assert found.kind == "service"


def test_the_command_and_the_services_know_the_same_roles() -> None:
    assert set(directory.ROLES) == set(ROLES)


def test_secrets_differ_between_installations_and_stay_within_one(home: Home, tmp_path: Path) -> None:
    ours, other = credentials.load(home), credentials.load(Home(tmp_path / "other"))

    assert credentials.load(home) == ours
    assert not set(ours.values()) & set(other.values())
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o600


def test_a_name_with_quotes_is_read_back_as_it_was(home: Home) -> None:
    directory.write(home, "officer", "pc-1", {"name": 'Sgt "A" \\ \n ô', "kind": "special_constable"})

    assert directory.read(home, "officer", "pc-1")["name"] == 'Sgt "A" \\ \n ô'


def test_an_entry_without_a_kind_is_refused(home: Home) -> None:
    with pytest.raises(ValueError, match="kind missing"):
        directory.write(home, "officer", "pc-1", {"name": "A"})
