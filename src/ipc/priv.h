/* priv.h - what control and image may ask of the only root process.
 *
 * priv makes network slots, cgroups and jails, starts machines and builds in them, and ends them.
 * It takes descriptors, and names and numbers that a table allows, but never a stranger's bytes.
 * Machines outlive dozed: each is started by a double fork into its own session and cgroup.  Its
 * facts lie in /run/doze/m/<machine>/ (`pid`: pid and start time; `owner`; `slot`; machine.sock;
 * stream.sock), where a new priv finds them.  Builds die with priv.  Every request is answered
 * once, with its tag, when it is done. */
#ifndef IPC_PRIV_H
#define IPC_PRIV_H

#include "ipc/chan.h"

enum priv_type {
	PRIV_NONE,

	/* Requests. */
	PRIV_MACHINE_START, /* struct priv_machine_start -> PRIV_MACHINE_STARTED */
	PRIV_MACHINE_END, /* struct priv_machine: kill, clear, give the slot back -> PRIV_DONE, even
			   * if there is no such machine */
	PRIV_MACHINE_LIST, /* struct priv_owner -> PRIV_MACHINE_ITEM ..., PRIV_DONE */
	PRIV_BUILD_START,  /* struct priv_build + argv, one NUL-terminated string after the other;
			    * fds: enum priv_build_fd -> PRIV_DONE when it runs */
	PRIV_BUILD_END,    /* struct priv_build_id: kill all of it, clear -> PRIV_DONE */
	PRIV_MACHINE_API,  /* struct priv_machine: its guest reaches SLOT_API_IP from now on -> DONE
			    */
	PRIV_CREDENTIALS,  /* struct priv_role; fd: what the role's credentials_process prints goes
			    * there -> PRIV_DONE when it has ended with 0 */

	/* Answers and events. */
	PRIV_MACHINE_STARTED, /* struct priv_machine_item */
	PRIV_MACHINE_ITEM,    /* struct priv_machine_item */
	PRIV_MACHINE_GONE,    /* event: struct priv_machine: its process ended by itself */
	PRIV_BUILD_GONE,      /* event: struct priv_build_gone: the build's process ended and all of
			       * it is cleared; once for each that ran, also before END's DONE */
	PRIV_DONE,            /* struct priv_done */
	PRIV_FAULT,           /* struct priv_fault */
	PRIV_NUM_TYPES,
};

enum priv_owner_role { PRIV_OWNER_CONTROL, PRIV_OWNER_IMAGE, PRIV_NUM_OWNERS };

struct priv_owner {
	uint32_t owner; /* enum priv_owner_role; must be the requester's */
	uint32_t zero;
};

struct priv_machine {
	char machine[IPC_ID_SIZE]; /* "m-<uuid>" */
};

struct priv_machine_start {
	char machine[IPC_ID_SIZE];
	uint32_t owner;
	uint32_t kind;         /* enum priv_machine_kind */
	uint64_t memory_bytes; /* guest RAM; the cgroup gets LIMIT_MACHINE_EXTRA more */
	uint32_t vcpus;        /* cpu quota of the cgroup */
	uint32_t internet;     /* 1: egress by NAT; 0: the slot leads nowhere */
};

/* The program of a machine; ipc/engine.h says how they differ. */
enum priv_machine_kind { PRIV_MACHINE_QEMU, PRIV_MACHINE_VMM, PRIV_NUM_MACHINE_KINDS };

struct priv_machine_item {
	char machine[IPC_ID_SIZE];
	uint32_t owner;
	uint32_t slot;
	int32_t pid;
	uint32_t zero;
	uint64_t start_time; /* field 22 of /proc/<pid>/stat: with pid, a name that is never reused
			      */
};

/* The programs that a build may run in its namespaces (design 8).  They stand in a table of priv;
 * no path comes from outside.  A program starts in BUILD_FD_DIR, which is also its descriptor 3.
 * Its parent, process 1 of the namespace, reaps. */
enum priv_program {
	PRIV_PROGRAM_BUILD_STEP, /* libexec/doze/doze-build-step, which runs buildah, tar and mke2fs
				  */
	PRIV_NUM_PROGRAMS,
};

/* What a build step finds.  STDIN is its descriptor 0, OUTPUT 1 and 2, DIR 3 and its working
 * directory; nothing else is open.  DIR is a directory of the requester below <data>/build: priv
 * sets its group to doze-build and its mode to 02770, so that both sides can use files in it.  The
 * step is root of namespaces of its own (user: 0 is doze-build, 1 to 65536 are [build] map_first
 * ...; mount, pid with a fresh /proc, ipc, uts) in a network slot, in cgroups that its children
 * stay in.  Its environment is PATH and LANG=C.UTF-8.  Before the first build priv has mounted
 * <data>/build/layers.img (ext4, sparse, [build] disk_gib; nodev, nosuid) at <data>/build/layers,
 * whose root belongs to doze-build, mode 0700.  STDIN may be any descriptor: a file, /dev/null. */
enum priv_build_fd { BUILD_FD_STDIN, BUILD_FD_OUTPUT, BUILD_FD_DIR, BUILD_NUM_FDS };

struct priv_build {
	char build[IPC_ID_SIZE]; /* "b-<uuid>" */
	uint32_t program;        /* enum priv_program */
	uint32_t n_args;         /* strings after this struct; argv[0] is the program's */
	uint64_t memory_bytes;
	uint32_t cpu_percent; /* 100 is one core */
	uint32_t pids;
	uint32_t internet; /* enum priv_net */
	uint32_t zero;
};

/* HOST is for steps that run no code of a stranger.  Base images may come from a registry or a
 * mirror on this host's loopback, which no slot can reach. */
enum priv_net { PRIV_NET_NONE, PRIV_NET_SLOT, PRIV_NET_HOST, PRIV_NUM_NETS };

struct priv_build_id {
	char build[IPC_ID_SIZE];
};

struct priv_build_gone {
	char build[IPC_ID_SIZE];
	int32_t status; /* as of waitpid; -1: not known */
	uint32_t oom;   /* 1: something in it was killed for memory */
};

/* A section [role NAME] of the configuration, which priv reads itself. */
struct priv_role {
	char role[IPC_ID_SIZE];
};

struct priv_done {
	uint32_t zero;
};

struct priv_fault {
	uint32_t kind; /* enum err_kind */
	char text[IPC_TEXT_SIZE];
};

extern const struct ipc_row priv_rows[PRIV_NUM_TYPES];

#endif
