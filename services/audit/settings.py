"""Everything audit reads from its environment, as AUDIT_…"""

from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Audit's settings: those that all services have."""

    model_config = SettingsConfigDict(env_prefix="AUDIT_", frozen=True, hide_input_in_errors=True)
