/* Makes the ext4 disk of the built image (in the file `root`, which the image role has created)
 * with its configuration, and an empty overlay of a disk's size (the file `overlay`). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/step.h"

static int disk_config(struct step *s, struct err *e)
{
	static const char *const more[] = { "Healthcheck", "Shell" }; /* OCI has no word for them */
	json_t *doc = step_inspect(s, s->tag, e), *config, *docker;

	if (!doc)
		return -1;
	config = json_object_get(json_object_get(doc, "OCIv1"), "config");
	docker = json_object_get(json_object_get(doc, "Docker"), "config");
	for (size_t i = 0; config && i < ARRAY_SIZE(more); i++) {
		json_t *member = json_object_get(docker, more[i]);

		if (member)
			json_object_set(config, more[i], member);
	}
	if (config)
		json_object_set(s->result, "config", config);
	json_decref(doc);
	return config ? 0 : err_set(e, ERR_INTERNAL, "the image has no configuration");
}

/* The words of mke2fs show that the disk is too small. */
static bool disk_too_small(struct buf *out)
{
	return strcasestr(buf_str(out), "no space") || strstr(buf_str(out), "allocate") ||
	       strstr(buf_str(out), "too small");
}

static int disk_make(struct step *s, const char *root, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a = { 0 };
	int rc;

	if (truncate("root", (off_t)s->gib * (off_t)GIB))
		return err_sys(e, "size the disk");
	step_arg(&a, "mke2fs");
	step_arg(&a, "-q");
	step_arg(&a, "-t");
	step_arg(&a, "ext4");
	step_arg(&a, "-F");
	step_arg(&a, "-L");
	step_arg(&a, "root");
	step_arg(&a, "-O"); /* the disk never outlives the memory that it belongs to */
	step_arg(&a, "^has_journal");
	step_arg(&a, "-E");
	step_arg(&a, "lazy_itable_init=1,nodiscard,root_owner=0:0");
	step_arg(&a, "-d");
	step_arg(&a, root);
	step_arg(&a, "root");
	rc = step_run_all(&a, &out, e);
	if (rc > 0) {
		fwrite(out.data, 1, out.size, stdout);
		if (disk_too_small(&out))
			return step_fail(s, "DISK_STORAGE_FULL", e,
					 "The container image does not fit on a disk of %ld GB.",
					 s->gib);
		return err_set(e, ERR_INTERNAL, "mke2fs ended with status %d", rc);
	}
	return rc;
}

int step_disk(struct step *s, struct err *e)
{
	autobuf struct buf container = { 0 }, root = { 0 };
	struct stat st;
	int rc;

	if (!s->tag || !s->store)
		return err_set(e, ERR_INVALID, "disk needs --tag and --store");
	if (disk_config(s, e) || step_mount(s, s->tag, &container, &root, e))
		return -1;
	rc = disk_make(s, buf_str(&root), e);
	step_drop(s, &container);
	if (rc)
		return -1;
	if (stat("root", &st))
		return err_sys(e, "look at the disk");
	json_object_set_new(s->result, "codeBytes", json_integer((json_int_t)st.st_blocks * 512));
	return 0;
}

int step_overlay(struct step *s, struct err *e)
{
	autofree char *size = xasprintf("%ldG", s->gib);
	autobuf struct buf out = { 0 };
	struct step_argv a = { 0 };

	step_arg(&a, "qemu-img");
	step_arg(&a, "create");
	step_arg(&a, "-q");
	step_arg(&a, "-f");
	step_arg(&a, "qcow2");
	step_arg(&a, "overlay");
	step_arg(&a, size);
	return step_must(&a, &out, e);
}
