/* cpus.S - the least guest of several CPUs, a kernel by PVH: the others are started and halt, the first writes "GUEST", then "#"
 * for ever, all with interrupts off.  A restore of it costs what KVM and the monitor take for each vCPU, and nothing else. */

#define PORT         0x3f8
#define ICR          0xfee00300 /* of the local APIC */
#define INIT_OTHERS  0x000c4500
#define START_OTHERS 0x000c4608 /* at 0x8000 */
#define TRAMPOLINE   0x8000
#define A_WHILE      1000000

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.macro await_them /* there is no stack */
	mov	$A_WHILE, %ecx
0:	pause
	dec	%ecx
	jnz	0b
	.endm

	.text
	.code32
	.globl start
start:
	cli
	cld
	mov	$other, %esi
	mov	$TRAMPOLINE, %edi
	mov	$(other_end - other), %ecx
	rep	movsb
	movl	$INIT_OTHERS, ICR
	await_them
	movl	$START_OTHERS, ICR
	await_them
	mov	$text, %esi
	mov	$(text_end - text), %ecx
	mov	$PORT, %edx
	rep	outsb
	mov	$'#', %al
0:	out	%al, %dx
	jmp	0b

	.code16
other:
	cli
0:	hlt
	jmp	0b
other_end:

text:
	.ascii "GUEST\n"
text_end:
