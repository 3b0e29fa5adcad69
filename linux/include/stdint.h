/* SPDX-License-Identifier: GPL-2.0 */
/* What siommu.h wants of the C library, out of the kernel's own types. */
#ifndef SIOMMU_STDINT_H
#define SIOMMU_STDINT_H

#include <linux/types.h>

#define UINT64_C(value)	value##ULL
#define UINT32_C(value)	value##U

#endif
