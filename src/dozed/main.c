/* main.c - dozed: the supervisor of the roles.
 *
 * Users start it with `doze up` or through the systemd unit. */

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "base/log.h"
#include "conf/engine.h"
#include "dozed/basis.h"
#include "dozed/crew.h"
#include "dozed/logged.h"
#include "dozed/options.h"
#include "dozed/places.h"
#include "dozed/process.h"
#include "dozed/super.h"

struct options {
	const char *instance, *config;
	bool daemon, help_config;
};

static error_t option_parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'i':
		if (!conf_instance_valid(arg))
			argp_error(state, "--instance takes up to 16 of a-z and 0-9");
		o->instance = arg;
		return 0;
	case 'c':
		o->config = arg;
		return 0;
	case 'd':
		o->daemon = true;
		return 0;
	case 'H':
		o->help_config = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "there is no argument '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static int choose_engine(struct conf *conf, struct err *e)
{
	struct engine_probe probe;

	engine_probe(&probe, conf->libexec_dir, (uid_t)conf->uid_first);
	if (engine_choose(conf, &probe, e))
		return -1;
	log_info("new images run on %s; KVM is %s", conf->kvm ? "doze-vmm" : "doze-qemu",
		 probe.text);
	return 0;
}

/* Says what to do where a file had to be written and its disk has no room. */
static int start_failed(const struct conf *conf, struct err *e)
{
	autofree char *up = conf_command(conf, false, "up");
	struct err inner = *e;

	if (e->kind == ERR_CAPACITY)
		err_set(e, ERR_CAPACITY, "%s; free some space below %s or %s, then run '%s' again",
			inner.text, conf->data_dir, conf->run_dir, up);
	return -1;
}

static int supervise(struct super_setup *setup, struct err *e)
{
	autoclose int data_fd = -1;
	autoclose int lock = -1;
	char boot_id[UUID_SIZE];

	if (geteuid() != 0) {
		autofree char *up = conf_command(setup->conf, true, "up");

		return err_set(e, ERR_DENIED,
			       "dozed needs root to make namespaces, network devices and cgroups: "
			       "run '%s'",
			       up);
	}
	umask(022);
	raise_file_limit();
	if (places_make(setup->conf, &data_fd, e))
		return start_failed(setup->conf, e);
	lock = places_lock(setup->conf, e);
	if (lock < 0 || host_boot_id(boot_id, e) || basis_open(setup->conf->run_dir, boot_id, e) ||
	    choose_engine(setup->conf, e) ||
	    secrets_load(&setup->secrets, setup->conf, data_fd, e) ||
	    listeners_open(&setup->listeners, setup->conf, crew_workers(setup->conf), e))
		return start_failed(setup->conf, e);
	setup->pid_file = lock;
	if (!super_run(setup, e))
		return 0;
	/* For `doze down`, which is not the parent. */
	(void)!write(lock, SUPER_FILE_FAILED, strlen(SUPER_FILE_FAILED));
	return -1;
}

/* The parent exits when it has read the byte that says that the child serves. */
static int go_to_background(struct super_setup *setup, struct err *e)
{
	autofree char *log_path = xasprintf("%s/dozed.log", setup->conf->log_dir);
	autofree char *why = NULL;
	int ready[2], log, status;
	off_t before;
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	mkdir(setup->conf->log_dir, 0755);
	log = open(log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (log < 0)
		return err_sys(e, "open '%s'", log_path);
	before = lseek(log, 0, SEEK_END);
	pid = fork();
	if (pid < 0)
		return err_sys(e, "go to the background");
	if (!pid) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		setsid();
		dup2(null, STDIN_FILENO);
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
		(void)!chdir("/");
		close(ready[0]);
		setup->ready_fd = ready[1];
		return supervise(setup, e);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		_exit(0);
	waitpid(pid, &status, 0);
	why = logged_error(log, before);
	fprintf(stderr, "dozed: dozed did not start%s%s; the end of '%s' says %s\n",
		why ? ": " : "", why ? why : "", log_path, why ? "more" : "why");
	_exit(1);
}

int main(int argc, char **argv)
{
	static const struct argp parser = {
		dozed_options, option_parse, NULL, dozed_summary, 0, 0, 0
	};
	struct options o = { .instance = "" };
	struct super_setup setup = { .patience = &super_patience, .pid_file = -1, .ready_fd = -1 };
	struct conf conf;
	autofree char *usual = NULL;
	autofree char *given = NULL;
	autoclose int config = -1;
	struct err e;
	int rc;

	argp_program_version = "dozed " DOZE_VERSION;
	argp_parse(&parser, argc, argv, 0, NULL, &o);
	if (o.help_config) {
		conf_help(stdout);
		return 0;
	}
	conf_defaults(&conf, o.instance);
	log_init("dozed", LOG_LEVEL_INFO);
	usual = xasprintf("%s/doze.ini", conf.etc_dir);
	/* A role that is restarted opens the file again, from another working directory. */
	given = o.config ? realpath(o.config, NULL) : NULL;
	setup.config_file = given ? given : o.config ? o.config : access(usual, F_OK) ? "" : usual;
	if (*setup.config_file) {
		config = open(setup.config_file, O_RDONLY | O_CLOEXEC);
		if (config < 0)
			rc = err_sys(&e, "open '%s'", setup.config_file);
		else
			rc = conf_read(&conf, config, setup.config_file, &e);
		if (rc) {
			log_err("%s", e.text);
			return 1;
		}
	}
	process_init(&conf, "dozed");
	setup.conf = &conf;
	if (o.daemon ? go_to_background(&setup, &e) : supervise(&setup, &e)) {
		log_err("%s", e.text);
		return setup.stopped ? DOZED_STOPPED_BADLY : 1;
	}
	return 0;
}
