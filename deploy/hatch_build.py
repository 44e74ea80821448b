"""Makes the generated protos part of what hatch builds: in a wheel, and on the path when editable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GeneratedProtos(BuildHookInterface[Any]):
    """Runs deploy/make_protos.py before a build and adds its packages to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate, then name each generated package; an editable install finds them by `dev-mode-dirs`."""
        root = Path(self.root)
        subprocess.run([sys.executable, str(root / "deploy" / "make_protos.py")], check=True)
        if self.target_name == "wheel" and version == "standard":
            packages = (path for path in (root / "build" / "protos").iterdir() if path.is_dir())
            build_data["force_include"].update({str(path): path.name for path in packages})
