/* guest.h - what a guest that tests a monitor does, by the word in its file /mode. */
#ifndef KVM_GUEST_H
#define KVM_GUEST_H

#define PAGE 4096

void guest_modules(void); /* of the initramfs, in order */

/* attack.c */
void guest_attack(int cpus); /* breaks the rules of every device, for ever: "ATTACK n=" */
void guest_flood(int cpus);  /* notifications and interrupts without end: "FLOOD n=" */

/* speed.c: says how fast the disk and the network are, then waits. */
void guest_speed(int cpus);

#endif
