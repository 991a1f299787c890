/* exec_look.h - looks at the program that the image names before it runs, while the process may
 * still read everything.  exec_fault.h judges from it why the kernel refuses the program. */
#ifndef GUEST_EXEC_LOOK_H
#define GUEST_EXEC_LOOK_H

#include <sys/types.h>

#include "guest/spec.h"

#define EXEC_HEAD 4096 /* bytes of a program; its first line, or its headers, are in them */
#define EXEC_NAME 4096

struct exec_file {
	bool exists;
	bool mount_noexec; /* its file system runs no programs */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint8_t head[EXEC_HEAD];
	size_t n_head;
};

/* Texts are empty where there is none. */
struct exec_look {
	const char *name;      /* as the image says it; borrowed */
	const char *path_list; /* PATH, if the name is looked for there, or NULL; borrowed */
	const char *workdir;   /* borrowed */
	char path[EXEC_NAME];  /* where it is */
	char link[EXEC_NAME];  /* what a dangling link at that path names */
	bool in_workdir;       /* PATH has no such program, but the working directory has */
	struct exec_file program;
	char interpreter[EXEC_HEAD]; /* of its first line */
	struct exec_file interpreted_by;
	char loader[EXEC_NAME]; /* that the program, or its interpreter, asks for */
	bool has_loader;
	char other_loader[EXEC_NAME]; /* another C library's loader that the image has */
	char machine[65];             /* of this kernel, as uname says it */
	bool crlf;                    /* it, or a script among its arguments, has CRLF lines */
	char crlf_name[EXEC_NAME];
};

/* Find the program, in the application's root and working directory. */
void exec_look(const struct app_spec *s, struct exec_look *l);

#endif
