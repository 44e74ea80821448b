"""Everything triage reads from its environment, as TRIAGE_…"""

from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Address, HexKey, ServiceSettings


class Settings(ServiceSettings):
    """Triage's settings."""

    model_config = SettingsConfigDict(env_prefix="TRIAGE_", frozen=True, hide_input_in_errors=True)

    intake_address: Address
    """Where intake opens data keys."""
    index_key: HexKey
    """Match keys are hashed again under it before they are stored. With another one, the index is made again."""
