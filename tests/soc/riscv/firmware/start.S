/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first instructions. Memory holds anything at power-up, so what C expects to be 0 is cleared
 * here. PicoRV32 has one hart, no privilege levels and no caches: there is nothing else to set up.
 */
	.section .start, "ax"
	.globl	start
start:
	la	sp, stack_end
	la	t0, bss_begin
	la	t1, bss_end
1:	bgeu	t0, t1, 2f
	sw	zero, 0(t0)
	addi	t0, t0, 4
	j	1b
2:	call	main
	li	t0, 0x10000004		/* END of soc.h: main's result ends the simulation */
	sw	a0, 0(t0)
3:	j	3b
