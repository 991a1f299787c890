/* disk.h - a disk that fails or gets stuck when a test says so: the calls of src/objects to it go
 * through here (meson.build: --wrap). */
#ifndef TEST_OBJECTS_DISK_H
#define TEST_OBJECTS_DISK_H

enum disk_call { DISK_OPEN, DISK_READ, DISK_WRITE, DISK_SYNC, DISK_RENAME, DISK_MKDIR, DISK_NUM };

/* The n-th call from now on fails, or all from it on; n 0: none does. */
void disk_fail(unsigned n, int errnum, int forever);
unsigned disk_calls(void); /* since disk_fail */

/* Calls of this kind do not return before disk_release. */
void disk_hold(enum disk_call call);
void disk_hold_no_more(void); /* those that are stuck stay so, and later ones pass */
unsigned disk_held(void);     /* how many are stuck now */
void disk_release(void);

#endif
