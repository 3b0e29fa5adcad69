/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A firmware that brings up the SIOMMU and uses all that a driver needs of it: registers, tables of
 * RISC-V, both queues, translations, faults, revocation. It prints what it finds, and compares all of
 * it with what it ought to find. Of the SIOMMU it knows what siommu.h says, and nothing else.
 *
 * It drives one device (dma.v), which copies memory for one process. docs/programming.md has the
 * reasons for the order of things; § is the specification's.
 */
#include "chapters.h"
#include "report.h"

int main(void)
{
	identify();
	before_it_is_on();
	tables();
	switch_on();
	debug_port();
	device_copies();
	faults_are_recorded();
	revocation();
	counters();
	return conclusion();
}
