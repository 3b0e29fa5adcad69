"""The instantiation templates of the default configurations, below ``hdl/templates/``."""

import functools

from siommu.arch.config import BridgeConfig, Config
from siommu.generate.files import write_whole
from siommu.generate.ports import module_of
from siommu.generate.template import LANGUAGES, template

__all__ = ["OUTPUTS"]


def _write(path, config, language):
    write_whole(path, template(config, language))


#: As in ``scripts.generate``.
OUTPUTS = {
    f"hdl/templates/{module_of(config)}_wrapper.{ending}":
        functools.partial(_write, config=config, language=language)
    for config in (Config(), BridgeConfig())
    for language, (_, ending) in LANGUAGES.items()
}
