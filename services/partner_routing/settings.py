"""Everything partner-routing reads from its environment, as PARTNER_ROUTING_…"""

from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Address, ExistingFile, ServiceSettings


class Settings(ServiceSettings):
    """Partner-routing's settings."""

    model_config = SettingsConfigDict(env_prefix="PARTNER_ROUTING_", frozen=True, hide_input_in_errors=True)

    intake_address: Address
    """Where intake opens data keys."""
    hpke_private_key: ExistingFile
    """X25519, 32 bytes as hex: partners encrypt the personal parts of their replies to it."""
