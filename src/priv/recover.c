#include "priv/recover.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "priv/machine_dir.h"
#include "priv/mproc.h"

#define RECOVER_KILL_MS 5000

static void recover_group(const char *name, void *arg)
{
	struct priv *p = arg;

	if (mproc_find(p, name))
		return;
	log_info("clearing what was left cgroup=%s", name);
	if (!cgroup_kill_wait(&p->groups, name, RECOVER_KILL_MS))
		log_warn("processes do not end cgroup=%s", name);
}

/* What cannot be taken over for a shortage of ours must not be killed: then priv fails and is
 * started again. */
static int recover_machine(struct priv *p, const char *name, struct err *e)
{
	struct priv_machine_item item;

	if (!machine_dir_load(p, name, &item))
		return 0;
	if (mproc_adopt(p, &item, e) < 0)
		return err_wrap(e, "take over the machine %s", name);
	return 0;
}

static int recover_directories(struct priv *p, bool adopt, struct err *e)
{
	DIR *dir = opendir(p->machines_dir);
	struct dirent *entry;

	if (!dir)
		return err_sys(e, "open '%s'", p->machines_dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (adopt && names_id_valid(entry->d_name, sizeof(entry->d_name), 'm') &&
		    recover_machine(p, entry->d_name, e)) {
			closedir(dir);
			return -1;
		}
		if (!adopt && !mproc_find(p, entry->d_name))
			machine_dir_remove(p, entry->d_name);
	}
	closedir(dir);
	return 0;
}

int recover_all(struct priv *p, struct err *e)
{
	if (recover_directories(p, true, e))
		return -1;
	cgroups_each(&p->groups, recover_group, p);
	if (recover_directories(p, false, e))
		return -1;
	slots_sweep(&p->slots);
	return 0;
}
