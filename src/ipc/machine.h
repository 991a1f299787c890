/* machine.h - the protocol between the process of a microVM (doze-qemu, doze-vmm) and its owner.
 *
 * priv makes and binds two sockets in /run/doze/m/<machine>/ before the process starts, which
 * inherits them as descriptors 3 and 4:
 *
 *   machine.sock  SOCK_SEQPACKET, group of the owner (doze-control, or doze-image while an image is
 *                 built).  It carries the messages below.  There is one peer at a time, and a new
 *                 one replaces the old.  The machine keeps running when the peer leaves.
 *   stream.sock   SOCK_STREAM, group doze-proxy (for a build, its owner).  The peer connects,
 * writes a line of wire/connect.h and reads "OK\n" or "ERR <why>\n".  With OK doze-qemu passes a
 *                 connected stream socket that leads to the guest's port, by SCM_RIGHTS, and closes
 *                 the connection to stream.sock.  doze-vmm passes no descriptor, and this
 *                 connection itself leads to the port.  The guest's side is 127.0.0.1:<port>.
 *                 "SHELL\n" asks for a shell of the guest in the same way (shell.h).
 *
 * A machine is used once: it is BOOTed or RESTOREd, and exits after SNAPSHOT, SAVE or STOP.  It
 * opens no path, because it gets every file open.  Every request is answered with its tag by READY,
 * SAVED, STATS, PROGRESS or FAULT.  After a FAULT answer to SAVE the machine is paused and can
 * CONTINUE. */
#ifndef IPC_MACHINE_H
#define IPC_MACHINE_H

#include "ipc/chan.h"

#define MACHINE_PROTOCOL 1

/* Inherited by the machine process. */
enum machine_fd {
	MACHINE_FD_SOCK = 3,   /* machine.sock, listening */
	MACHINE_FD_STREAM = 4, /* stream.sock, listening */
	MACHINE_FD_TAP = 5,    /* the slot's tap, with vnet headers */
	MACHINE_FD_KVM = 6,    /* doze-vmm: /dev/kvm */
	MACHINE_FD_PROC = 7,   /* doze-vmm: a procfs of its pid namespace, mounted nowhere */
};

enum machine_type {
	MACHINE_HELLO, /* event, first on every connection: struct machine_hello */

	/* Requests of the owner. */
	MACHINE_BOOT,     /* struct machine_boot; descriptors: enum machine_boot_fd */
	MACHINE_SNAPSHOT, /* an image: struct machine_none; enum machine_save_fd; exits after SAVED
			   */
	MACHINE_SAVE,     /* what differs from the image: the same descriptors; exits after SAVED */
	MACHINE_RESTORE,  /* struct machine_restore; descriptors: enum machine_restore_fd */
	MACHINE_PAUSE,
	MACHINE_CONTINUE,
	MACHINE_STOP, /* end at once; the answer is EXITED */
	MACHINE_GET_STATS,

	MACHINE_AGENT, /* both ways: up to 32 KiB of the agent's byte stream (agent.h), unread */

	/* Answers and events. */
	MACHINE_READY,  /* BOOT, RESTORE, PAUSE or CONTINUE succeeded */
	MACHINE_SAVED,  /* struct machine_saved */
	MACHINE_STATS,  /* struct machine_stats */
	MACHINE_FAULT,  /* struct machine_fault: the request failed; tag 0: the machine is broken */
	MACHINE_EXITED, /* struct machine_exited: the last message */

	/* A request: write the pages of the image's memory that the guest has touched since
	 * RESTORE, as runs (touched.h), to the one write-only descriptor, then answer READY.
	 * doze-vmm only. */
	MACHINE_GET_TOUCHED,

	/* Requests for a guest that does not come up: how far it is, and an explanation for a
	 * person, which is written to the one write-only descriptor before READY. */
	MACHINE_GET_PROGRESS,
	MACHINE_EXPLAIN,
	MACHINE_PROGRESS, /* an answer: struct machine_progress */
	MACHINE_NUM_TYPES,
};

enum machine_run { MACHINE_EMPTY, MACHINE_RUNNING, MACHINE_PAUSED, MACHINE_ENDING };

struct machine_hello {
	uint32_t protocol; /* MACHINE_PROTOCOL */
	uint32_t run;      /* enum machine_run: the state that a returning peer finds */
	char kind[16];     /* "qemu", "vmm" */
};

struct machine_none {
	uint32_t zero;
};

/* The shape of a machine; all machines of one image version have the same. */
struct machine_shape {
	uint32_t vcpus;
	uint32_t memory_mib;
};

enum machine_boot_fd {
	BOOT_FD_KERNEL,
	BOOT_FD_INITRD,
	BOOT_FD_ROOT,
	BOOT_FD_OVERLAY,
	BOOT_NUM_FDS
};

/* Start a kernel.  ROOT is the raw disk, read-only; OVERLAY an empty qcow2 (doze-qemu) or an empty
 * file (doze-vmm), read-write. */
struct machine_boot {
	struct machine_shape shape;
};

/* The files of a snapshot: empty regular files of the owner, write-only.  HEADER gets the plain
 * header of docs/snapshot-format.md, STATE the state of devices and CPUs.  MEMORY becomes a sparse
 * file: for SNAPSHOT all pages that are not zero, for SAVE the pages that differ from the image, at
 * their own offsets, with the list of runs in a section of HEADER.  The disk's part is the overlay
 * that was given at BOOT or RESTORE; it is flushed and closed before SAVED.  The machine fsyncs
 * each file before it sends SAVED. */
enum machine_save_fd { SAVE_FD_HEADER, SAVE_FD_STATE, SAVE_FD_MEMORY, SAVE_NUM_FDS };

/* MEMORY of the image is a sealed memfd of its whole RAM (doze-qemu), mapped copy-on-write.
 * DISK is the image's own delta over ROOT, read-only; OVERLAY is as at BOOT.
 * The last four are present only when a suspended microVM resumes (from_save). */
enum machine_restore_fd {
	RESTORE_FD_HEADER,
	RESTORE_FD_STATE,
	RESTORE_FD_MEMORY,
	RESTORE_FD_ROOT,
	RESTORE_FD_DISK,
	RESTORE_FD_OVERLAY,
	RESTORE_NUM_FDS,
	RESTORE_FD_SAVE_HEADER = RESTORE_NUM_FDS,
	RESTORE_FD_SAVE_STATE,
	RESTORE_FD_SAVE_MEMORY,
	RESTORE_FD_SAVE_DISK, /* the overlay of the save, read-only; streamed into OVERLAY */
	RESTORE_NUM_SAVE_FDS,
};

struct machine_restore {
	struct machine_shape shape;
	uint32_t from_save; /* 1: RESTORE_NUM_SAVE_FDS descriptors */
	uint32_t stopped;   /* 1: READY while paused, for the pool; 0: READY when it runs */
};

struct machine_saved {
	uint64_t state_bytes, memory_bytes, disk_bytes; /* written, holes not counted */
	uint64_t paused_us;                             /* how long the guest stood still */
};

struct machine_stats {
	uint64_t cpu_ns;             /* of all the machine's processes since its start */
	uint64_t private_bytes;      /* memory that belongs to this machine alone */
	uint64_t proportional_bytes; /* PSS */
	uint32_t run;                /* enum machine_run */
	uint32_t zero;
};

/* Of all the machine's processes and its guest, since its start. */
struct machine_progress {
	uint64_t cpu_ns;
	uint64_t waited_ns; /* for a CPU that others had; doze-vmm: 0 */
	uint64_t console_bytes;
	uint32_t n_blocked; /* threads that wait for a disk now; doze-vmm: 0 */
	uint32_t zero;
};

struct machine_fault {
	uint32_t kind; /* enum err_kind */
	char text[IPC_TEXT_SIZE];
};

struct machine_exited {
	char reason[IPC_TEXT_SIZE];
};

extern const struct ipc_row machine_rows[MACHINE_NUM_TYPES];

/* May a machine answer @request with @answer?  Its body is of @answer's type only then: a machine
 * is not trusted to keep the protocol.  MACHINE_FAULT fits every request.  Pure. */
bool machine_answer_fits(uint32_t request, uint32_t answer);

#endif
