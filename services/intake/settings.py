"""Everything intake reads from its environment, as INTAKE_…"""

from pydantic_settings import SettingsConfigDict

from services.chassis.settings import HexKey, ServiceSettings


class Settings(ServiceSettings):
    """Intake's settings."""

    model_config = SettingsConfigDict(env_prefix="INTAKE_", frozen=True, hide_input_in_errors=True)

    key_encryption_key: HexKey
    """Wraps every data key. Only intake has it; whoever loses it loses every personal part."""
    linking_key: HexKey
    """Match keys are made under it. With another one, new referrals no longer link to old ones."""
