/* buildah fetches the layers.  It gets the digest that the registry has named, and a configuration
 * and credentials that hold this one registry alone. */

#include "image/step_pull.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"

#define PULL_CONF      "pull.conf"
#define PULL_AUTH      "pull-auth.json" /* mode 0600, and gone when the pull is over */
#define PULL_SILENCE_S 60
#define PULL_AGAIN_S   300

static const json_t *pull_section(const struct step *s, const char *registry)
{
	return json_object_get(s->registries, registry);
}

static const char *pull_setting(const struct step *s, const char *registry, const char *key)
{
	const char *text = json_string_value(json_object_get(pull_section(s, registry), key));

	return text && *text ? text : NULL;
}

/* Registries that the configuration names so need no TLS. */
static bool pull_is_plain(const struct step *s, const char *location)
{
	size_t n = strcspn(location, "/");

	for (size_t i = 0; i < s->insecure.n; i++)
		if (strlen(s->insecure.v[i]) == n && !strncasecmp(location, s->insecure.v[i], n))
			return true;
	return false;
}

const char *step_pull_network(const struct step *s, const struct reference *r)
{
	return pull_section(s, r->registry) || pull_is_plain(s, r->registry) ? "host" : "slot";
}

static char *pull_silent_path(const struct step *s, const char *registry)
{
	return xasprintf("%s/silent/%s", s->store, registry);
}

bool step_pull_silent(const struct step *s, const char *registry)
{
	autofree char *path = pull_silent_path(s, registry);
	struct stat st;

	return !stat(path, &st) && llabs((long long)time(NULL) - st.st_mtime) < PULL_AGAIN_S;
}

/* A note counts for a time only, and a stranger's Dockerfile may name any registry. */
static void pull_forget_silences(const struct step *s, const char *dir)
{
	DIR *list = opendir(dir);
	struct dirent *entry;

	while (list && (entry = readdir(list))) {
		bool own = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");

		if (!own && !step_pull_silent(s, entry->d_name) &&
		    unlinkat(dirfd(list), entry->d_name, 0))
			printf("doze: warning: '%s/%s' stays\n", dir, entry->d_name);
	}
	if (list)
		closedir(list);
}

static void pull_note_silence(const struct step *s, const char *registry, bool silent)
{
	autofree char *dir = xasprintf("%s/silent", s->store);
	autofree char *path = pull_silent_path(s, registry);
	autoclose int fd = -1;

	if (mkdir(dir, 0755) && errno != EEXIST)
		return;
	pull_forget_silences(s, dir);
	if (unlink(path) && errno != ENOENT)
		return;
	if (!silent)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		printf("doze: warning: '%s' cannot be made\n", path);
}

/* What buildah says of a failure, and what that means. */
static const struct pull_word {
	const char *said, *means;
} pull_words[] = {
	{ "no space left on device", "the store of image layers is full ([build] disk_gib)" },
	{ "igest did not match", "sent a layer that is not what its digest says" },
	{ "toomanyrequests", "limits how often it is asked" },
	{ "429", "limits how often it is asked" },
	{ "nauthorized", "does not let its layers be read" },
	{ "denied", "does not let its layers be read" },
	{ "blob unknown", "lacks a layer of it" },
	{ "404", "lacks a layer of it" },
	{ "unexpected EOF", "broke off while it sent a layer" },
	{ "connection reset", "broke off while it sent a layer" },
	{ "imeout", "stopped answering while it sent a layer" },
	{ "no such host", "stopped answering while it sent a layer" },
	{ "connection refused", "stopped answering while it sent a layer" },
};

static enum registry_answer pull_failed(struct step *s, const struct registry_place *place,
					struct buf *said, int status, struct err *e)
{
	const char *text = buf_str(said), *means = "did not send it whole";

	printf("%s", text);
	if (status == STEP_SILENT)
		means = "stopped sending";
	for (size_t i = 0; status != STEP_SILENT && i < ARRAY_SIZE(pull_words); i++)
		if (strstr(text, pull_words[i].said)) {
			means = pull_words[i].means;
			break;
		}
	if (means == pull_words[0].means) {
		s->code = "DISK_STORAGE_FULL";
		err_set(e, ERR_CAPACITY, "%s", means);
	} else {
		err_set(e, ERR_INVALID, "the registry '%s' %s", place->shown, means);
	}
	return REGISTRY_FAILS;
}

/* @registry is where the name says that the image is, and the place is where it is fetched. */
static int pull_configure(const struct registry_place *place, const char *registry, struct err *e)
{
	autobuf struct buf conf = { 0 }, auth = { .secret = true };
	int n = (int)strcspn(place->location, "/");

	buf_addf(&conf,
		 "unqualified-search-registries = []\nshort-name-mode = \"disabled\"\n"
		 "[[registry]]\nprefix = \"%s\"\nlocation = \"%s\"\ninsecure = %s\n",
		 registry, place->location, place->plain ? "true" : "false");
	if (place->user) {
		autofree char *credentials = registry_credentials(place);

		buf_addf(&auth, "{\"auths\":{\"%.*s\":{\"auth\":\"%s\"}}}", n, place->location,
			 credentials);
		explicit_bzero(credentials, strlen(credentials));
	} else {
		buf_adds(&auth, "{}");
	}
	if (io_replace(3, PULL_CONF, conf.data, conf.size, 0644, e))
		return -1;
	return io_replace(3, PULL_AUTH, auth.data, auth.size, 0600, e);
}

static enum registry_answer pull_fetch(struct step *s, const struct registry_place *place,
				       const char *registry, const char *pinned, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;
	int rc;

	printf("doze: pulling %s\n", pinned);
	if (pull_configure(place, registry, e))
		return REGISTRY_FAILS;
	s->registries_conf = PULL_CONF;
	step_buildah(s, &a, "pull");
	s->registries_conf = NULL;
	a.silence_s = PULL_SILENCE_S;
	step_arg(&a, "--quiet");
	step_arg(&a, "--policy=always");
	step_arg(&a, "--authfile");
	step_arg(&a, PULL_AUTH);
	step_arg(&a, "--arch");
	step_arg(&a, s->arch);
	if (place->plain)
		step_arg(&a, "--tls-verify=false");
	step_arg(&a, pinned);
	rc = step_run_all(&a, &out, e);
	if (unlinkat(3, PULL_AUTH, 0))
		printf("doze: warning: '%s' stays\n", PULL_AUTH);
	step_images_forget(s);
	if (rc < 0)
		return REGISTRY_FAILS;
	return rc ? pull_failed(s, place, &out, rc, e) : REGISTRY_HAS;
}

/* Gives the image the name by which Dockerfiles know it. */
static enum registry_answer pull_name(struct step *s, const char *stored, char **image,
				      struct err *e)
{
	const char *id;

	if (step_images(s, e))
		return REGISTRY_FAILS;
	id = step_image_id(s, *image);
	free(*image);
	*image = xstrdup(stored);
	if (!id) {
		err_set(e, ERR_INTERNAL, "the store lacks what was fetched");
		return REGISTRY_FAILS;
	}
	return step_tag(s, id, stored, e) ? REGISTRY_FAILS : REGISTRY_HAS;
}

static enum registry_answer pull_from(struct step *s, const struct registry_place *place,
				      const struct reference *r, const char *stored, char **image,
				      struct err *e)
{
	struct registry_found found;
	struct reference exact = *r;
	char pinned[REFERENCE_MAX];
	enum registry_answer answer = registry_look(s, place, r, &found, e);

	if (answer != REGISTRY_HAS)
		return answer;
	memcpy(exact.digest, found.digest, sizeof(exact.digest));
	reference_name(&exact, pinned);
	printf("doze: %s is %s%s%s\n", stored, pinned,
	       strcmp(found.digest, found.image) ? ", for this host " : "",
	       strcmp(found.digest, found.image) ? found.image : "");
	if (step_images(s, e))
		return REGISTRY_FAILS;
	if (step_image_exists(s, pinned))
		printf("doze: the store has it\n");
	else if ((answer = pull_fetch(s, place, r->registry, pinned, e)) != REGISTRY_HAS)
		return answer;
	if (step_flatten(s, pinned, pinned, image, e))
		return REGISTRY_FAILS;
	return strchr(stored, '@') ? REGISTRY_HAS : pull_name(s, stored, image, e);
}

/* A mirror that lacks the image or is away is no failure, because the registry itself may have it.
 */
static enum registry_answer pull_by_mirror(struct step *s, const struct reference *r,
					   const char *stored, char **image, struct err *e)
{
	const char *mirror = pull_setting(s, r->registry, "mirror");
	autofree char *shown =
		xasprintf("%s', the mirror of '%s", mirror ? mirror : "", r->registry);
	struct registry_place place = {
		.shown = shown,
		.location = mirror,
		.user = pull_setting(s, r->registry, "user"),
		.password = pull_setting(s, r->registry, "password"),
	};
	autofree char *probe = xasprintf("%s/x", mirror ? mirror : "");
	struct reference checked;
	enum registry_answer answer;

	if (!mirror)
		return REGISTRY_SILENT;
	if (reference_parse(&checked, probe, e)) {
		err_wrap(e, "[registry %s] mirror", r->registry);
		return REGISTRY_FAILS;
	}
	place.plain = pull_is_plain(s, mirror);
	answer = pull_from(s, &place, r, stored, image, e);
	if (answer != REGISTRY_HAS)
		printf("doze: %s\n", e->text);
	return answer;
}

enum registry_answer step_pull_image(struct step *s, const struct reference *r, const char *stored,
				     char **image, struct err *e)
{
	const struct registry_place place = {
		.shown = r->registry,
		.location = r->registry,
		.user = pull_setting(s, r->registry, "user"),
		.password = pull_setting(s, r->registry, "password"),
		.plain = pull_is_plain(s, r->registry),
	};
	enum registry_answer mirrored = pull_by_mirror(s, r, stored, image, e), answer = mirrored;
	struct err why;

	if (mirrored != REGISTRY_HAS) {
		answer = pull_from(s, &place, r, stored, image, &why);
		/* What the mirror lacks, the registry might have had. */
		if (answer != REGISTRY_SILENT || mirrored == REGISTRY_SILENT)
			*e = why;
		else if (mirrored == REGISTRY_LACKS)
			snprintf(e->text + strlen(e->text), sizeof(e->text) - strlen(e->text),
				 ", and the registry itself does not answer");
		else
			answer = mirrored;
	}
	pull_note_silence(s, r->registry, answer == REGISTRY_SILENT && mirrored == REGISTRY_SILENT);
	return answer;
}
