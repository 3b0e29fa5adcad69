"""The C snippets of the programmer's guide compile against the header."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ..support.program import COMPILERS, INCLUDE, WARNINGS

GUIDE = Path(__file__).resolve().parents[2] / "docs/programming.md"

#: What the guide says is the reader's own.
PRELUDE = """\
#include "siommu.h"
#include <errno.h>

uint32_t rd32(uint32_t offset);
void wr32(uint32_t offset, uint32_t value);
void wmb(void);
void rmb(void);
bool too_long(void);
void stuck(void);
void handle(struct siommu_fault fault);

struct queue {
    uint64_t base, word_base;
    struct siommu_command *ring;
    volatile uint32_t *word;
    uint32_t head, tail, number;
    unsigned log2;
};

struct fault_queue {
    uint64_t (*ring)[SIOMMU_RECORD_BYTES / 8];
    uint32_t head;
    unsigned log2;
};

void cq_check(struct queue *q);
void lock(struct queue *q);
void unlock(struct queue *q);
void fail_waiting_fences(struct queue *q);
"""

#: Snippets that are no functions stand in one with these parameters.
FRAME = """\
int snippet_{index}(struct queue *q, const struct siommu_command *commands, uint32_t count,
                    uint64_t addr, uint32_t device, uint32_t pasid, bool write, bool ft);
int snippet_{index}(struct queue *q, const struct siommu_command *commands, uint32_t count,
                    uint64_t addr, uint32_t device, uint32_t pasid, bool write, bool ft)
{{
    uint32_t i = 0, number = 0;
    enum siommu_cause cause = SIOMMU_CAUSE_OK;
    (void)q, (void)commands, (void)count, (void)addr, (void)device, (void)pasid;
    (void)write, (void)ft, (void)i, (void)number;
{text}
    return (int)cause;
}}
"""


@pytest.mark.parametrize("language", COMPILERS)
def test_snippets_compile(language, tmp_path):
    snippets = re.findall(r"```c\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(snippets) >= 6
    names, options = COMPILERS[language]
    compiler = next((name for name in names if name and shutil.which(name)), None)
    assert compiler, f"no {language} compiler found (set CC or CXX)"
    source = tmp_path / "guide.c"
    source.write_text(PRELUDE + "".join(
        text if re.search(r"^static ", text, re.MULTILINE) else FRAME.format(index=index, text=text)
        for index, text in enumerate(snippets)))
    done = subprocess.run([compiler, *options, *WARNINGS, "-Wno-unused-function", f"-I{INCLUDE}",
                           "-c", str(source), "-o", str(tmp_path / "guide.o")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
