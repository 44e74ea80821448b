"""Everything audit reads from its environment, as AUDIT_…"""

from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from services.audit.log.note import Signer
from services.audit.log.witnessing import Witnesses
from services.audit.witnesses import load
from services.chassis.areafile import FileRefused
from services.chassis.settings import Address, ExistingFile, ServiceSettings

OTHERS = 0o077


def _signing_key(path: Path) -> Path:
    if path.stat().st_mode & OTHERS:
        raise PydanticCustomError("setting", "others can read the signing key; make its mode 0600")
    try:
        Signer.parse(path.read_text().strip())
    except ValueError as error:
        raise PydanticCustomError("setting", "{wrong}", {"wrong": str(error)}) from None
    return path


def _witnesses(path: Path) -> Path:
    try:
        load(path)
    except FileRefused as error:
        raise PydanticCustomError("setting", "{wrong}", {"wrong": str(error)}) from None
    return path


class Settings(ServiceSettings):
    """Audit's settings: those that all services have, and where the log is."""

    model_config = SettingsConfigDict(env_prefix="AUDIT_", frozen=True, hide_input_in_errors=True)

    intake_address: Address
    """Where intake says whose record a referral is, so that a look without a task is flagged."""
    log: Path
    """The folder of the transparency log; made where it is missing."""
    log_key: Annotated[ExistingFile, AfterValidator(_signing_key)]
    """The file with the log's signing key, as golang.org/x/mod/sumdb/note writes it, of mode 0600."""
    log_address: Address
    """Where checkpoint and tiles are served to anyone."""
    log_second_memory: Path | None = None
    """A file on another disk that also remembers what was last signed."""
    log_witnesses: Annotated[ExistingFile, AfterValidator(_witnesses)] | None = None
    """The file of the witnesses whose cosignatures each checkpoint must carry (see witnesses.py)."""

    @cached_property
    def signer(self) -> Signer:
        """The log's signing key."""
        return Signer.parse(self.log_key.read_text().strip())

    def witness(self) -> Witnesses | None:
        """Asks the witnesses, where there are any."""
        if self.log_witnesses is None:
            return None
        policy = load(self.log_witnesses)
        return Witnesses(self.log, policy.remotes, policy.quorum)
