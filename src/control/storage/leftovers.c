#include "control/storage/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "control/model/model.h"
#include "control/storage/checkpoint_dir.h"
#include "control/storage/gc.h"

typedef bool leftovers_keep(struct control *ctl, const struct microvm *vm, const char *name);

/* Removes each name in data/control/<folder> that `keeps` does not want. */
static void leftovers_remove_in(struct control *ctl, const char *folder, const struct microvm *vm,
				leftovers_keep *keeps)
{
	int fd = io_open_below(ctl->dir_fd, folder, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	char path[2 * CHECKPOINT_PATH];

	if (!dir) {
		fd_close(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    keeps(ctl, vm, entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", folder, CHECKPOINT_PATH, entry->d_name);
		gc_put(ctl, path);
	}
	closedir(dir);
}

static bool leftovers_keep_machine(struct control *ctl, const struct microvm *unused,
				   const char *name)
{
	(void)unused;
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->machine && !strcmp(vm->machine_id, name))
			return true;
	}
	return model_is_left_out(ctl, name);
}

static bool leftovers_keep_microvm(struct control *ctl, const struct microvm *unused,
				   const char *name)
{
	const struct microvm *vm = model_microvm(ctl, name);

	(void)unused;
	return vm ? vm->state != VM_TERMINATED : model_is_left_out(ctl, name);
}

/* The microVM's checkpoint stays.  If a suspend is under way, every newer one stays too, because
 * adopt.c will look which of them is complete. */
static bool leftovers_keep_checkpoint(struct control *ctl, const struct microvm *vm,
				      const char *name)
{
	bool draft;
	int64_t n;

	(void)ctl;
	return checkpoint_parse_name(name, &n, &draft) &&
	       ((n == vm->checkpoint && !draft) ||
		(vm->state == VM_SUSPENDING && n > vm->checkpoint));
}

/* Earlier releases gave their trash such names, and a backup was broken off. */
static bool leftovers_keep_top(struct control *ctl, const struct microvm *unused, const char *name)
{
	(void)ctl;
	(void)unused;
	return strncmp(name, ".trash-", strlen(".trash-")) != 0 &&
	       strncmp(name, BACKUP_ROWS, strlen(BACKUP_ROWS)) != 0;
}

void leftovers_remove(struct control *ctl)
{
	gc_sweep(ctl);
	leftovers_remove_in(ctl, ".", NULL, leftovers_keep_top);
	leftovers_remove_in(ctl, "machines", NULL, leftovers_keep_machine);
	leftovers_remove_in(ctl, "microvms", NULL, leftovers_keep_microvm);
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		char path[CHECKPOINT_PATH];

		snprintf(path, sizeof(path), "microvms/%s", vm->id);
		if (vm->state != VM_TERMINATED)
			leftovers_remove_in(ctl, path, vm, leftovers_keep_checkpoint);
	}
}
