/* When an application counts as ready: by invented figures, and by those of real starts. */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/ready.h"

#define STEP_MS 250

/* An invented start: between two times it does so much. */
struct phase {
	int64_t until_ms;
	unsigned cpu_percent, disk_kib_s, net_bytes_s, births_s, output_s, memory_kib_s;
	uint16_t tcp[4], udp[2]; /* listen meanwhile */
};

struct start {
	const char *what;
	struct ready_ports exposed;
	struct phase phases[6];
	int64_t from_ms, to_ms; /* when it is ready; 0: not while it lasts */
	enum ready_open open;
};

#define TCP(...)                                                                \
	{                                                                       \
		.tcp = { __VA_ARGS__ },                                         \
		.n_tcp = sizeof((uint16_t[]){ __VA_ARGS__ }) / sizeof(uint16_t) \
	}

/* clang-format off */
static const struct start starts[] = {
	{ "a port and a quiet second", TCP(5000),
	  { { 4000, .cpu_percent = 100 }, { 9000, .cpu_percent = 100, .tcp = { 5000 } }, { 20000, .cpu_percent = 3, .tcp = { 5000 } } },
	  9800, 11000, READY_ALL },
	{ "a service that loads before it listens, with a pause", TCP(8080),
	  { { 5000, .cpu_percent = 100 }, { 12000, .cpu_percent = 0 }, { 30000, .cpu_percent = 90 }, { 60000, .tcp = { 8080 } } },
	  31000, 34000, READY_ALL },
	{ "a script that sleeps before it starts the server", TCP(8080),
	  { { 20000, .cpu_percent = 1 }, { 24000, .cpu_percent = 95 }, { 60000, .tcp = { 8080 } } }, 25000, 27000, READY_ALL },
	{ "minutes of work before it listens", TCP(8080),
	  { { 290000, .cpu_percent = 60 }, { 320000, .tcp = { 8080 } } }, 291000, 295000, READY_ALL },
	{ "disk alone is work", TCP(80),
	  { { 2000, .cpu_percent = 90, .tcp = { 80 } }, { 40000, .cpu_percent = 5, .disk_kib_s = 4000, .tcp = { 80 } }, { 60000, .tcp = { 80 } } },
	  40500, 45000, READY_ALL },
	{ "a download is work", TCP(80),
	  { { 2000, .cpu_percent = 90, .tcp = { 80 } }, { 40000, .cpu_percent = 8, .net_bytes_s = 90000, .tcp = { 80 } }, { 60000, .tcp = { 80 } } },
	  40500, 45000, READY_ALL },
	{ "processes that begin are work", TCP(80),
	  { { 40000, .cpu_percent = 15, .births_s = 8, .tcp = { 80 } }, { 60000, .tcp = { 80 } } }, 40500, 45000, READY_ALL },
	{ "output soon after other work is work", TCP(80),
	  { { 8000, .cpu_percent = 90, .tcp = { 80 } }, { 14000, .cpu_percent = 5, .output_s = 40, .tcp = { 80 } }, { 30000, .tcp = { 80 } } },
	  14500, 17000, READY_ALL },
	{ "a heartbeat in the log is not for ever", TCP(80),
	  { { 3000, .cpu_percent = 90, .tcp = { 80 } }, { 60000, .cpu_percent = 1, .output_s = 40, .tcp = { 80 } } }, 12500, 16000, READY_ALL },
	{ "a shell that sleeps in a loop is no work", TCP(80),
	  { { 3000, .cpu_percent = 90, .tcp = { 80 } }, { 60000, .cpu_percent = 3, .births_s = 1, .tcp = { 80 } } }, 3500, 6000, READY_ALL },
	{ "a third of a core is an idle server on a slow CPU", TCP(80),
	  { { 20000, .cpu_percent = 100, .tcp = { 80 } }, { 60000, .cpu_percent = 35, .tcp = { 80 } } }, 27500, 31000, READY_ALL },
	{ "a server that computes all the time", TCP(80),
	  { { 400000, .cpu_percent = 100, .tcp = { 80 } } }, 119000, 125000, READY_ALL },
	{ "but not while its memory grows", TCP(80),
	  { { 400000, .cpu_percent = 100, .memory_kib_s = 900, .tcp = { 80 } } }, 0, 0, READY_ALL },
	{ "all EXPOSEd ports while work goes on", TCP(80, 9090),
	  { { 2000, .cpu_percent = 90 }, { 20000, .cpu_percent = 90, .tcp = { 80 } }, { 40000, .tcp = { 80, 9090 } } }, 21000, 24000, READY_ALL },
	{ "one of two EXPOSEd ports and rest", TCP(80, 443),
	  { { 5000, .cpu_percent = 90, .tcp = { 80 } }, { 40000, .tcp = { 80 } } }, 7500, 10000, READY_SOME },
	{ "a port that is none of the EXPOSEd ones", TCP(80),
	  { { 5000, .cpu_percent = 90, .tcp = { 5000 } }, { 40000, .tcp = { 5000 } } }, 12500, 15000, READY_ANOTHER },
	{ "a debugger's port before the application's", TCP(80),
	  { { 2000, .cpu_percent = 90, .tcp = { 9229 } }, { 6000, .tcp = { 9229 } }, { 30000, .cpu_percent = 90, .tcp = { 9229 } },
	    { 60000, .tcp = { 80, 9229 } } }, 31000, 35000, READY_ALL },
	{ "a port that closes again begins anew", TCP(80),
	  { { 2000, .cpu_percent = 90 }, { 2500, .tcp = { 80 } }, { 12000, .cpu_percent = 80 }, { 40000, .tcp = { 80 } } }, 13000, 15000, READY_ALL },
	{ "UDP alone is EXPOSEd", { .udp = { 53 }, .n_udp = 1 },
	  { { 5000, .cpu_percent = 90 }, { 40000, .udp = { 53 } } }, 6000, 8000, READY_ALL },
	{ "TCP and UDP are EXPOSEd", { .tcp = { 53 }, .n_tcp = 1, .udp = { 53 }, .n_udp = 1 },
	  { { 5000, .cpu_percent = 90, .tcp = { 53 } }, { 30000, .cpu_percent = 90, .tcp = { 53 } }, { 60000, .tcp = { 53 }, .udp = { 53 } } },
	  31000, 35000, READY_ALL },
	{ "nothing is EXPOSEd and 8080 listens", { .n_tcp = 0 },
	  { { 5000, .cpu_percent = 90 }, { 40000, .tcp = { 8080 } } }, 6000, 8000, READY_ALL },
	{ "nothing is EXPOSEd and another port listens", { .n_tcp = 0 },
	  { { 5000, .cpu_percent = 90 }, { 40000, .tcp = { 3000 } } }, 12500, 15000, READY_ANOTHER },
	{ "a script that never listens", { .n_tcp = 0 },
	  { { 2000, .cpu_percent = 90 }, { 40000, .cpu_percent = 0 } }, 11000, 14000, READY_NOTHING },
	{ "an EXPOSEd port that nobody opens", TCP(80),
	  { { 2000, .cpu_percent = 90 }, { 60000, .cpu_percent = 0 } }, 31000, 35000, READY_NOTHING },
	{ "work without an end and without its port", TCP(80), { { 700000, .cpu_percent = 100 } }, 0, 0, READY_NOTHING },
};
/* clang-format on */

static size_t count_ports(const uint16_t *ports, size_t most)
{
	size_t n = 0;

	while (n < most && ports[n])
		n++;
	return n;
}

static void add_step(struct ready_sample *s, const struct phase *p)
{
	s->at_ms += STEP_MS;
	s->cpu_us += p->cpu_percent * STEP_MS * 10ULL;
	s->disk_bytes += p->disk_kib_s * KIB * STEP_MS / 1000;
	s->net_bytes += p->net_bytes_s * STEP_MS / 1000ULL;
	if (s->at_ms % 1000 == 0)
		s->births += p->births_s;
	s->output_bytes += p->output_s * STEP_MS / 1000ULL;
	s->memory_bytes += p->memory_kib_s * KIB * STEP_MS / 1000;
}

/* When it is ready, or 0. */
static int64_t play(struct ready *r, const struct start *start)
{
	struct ready_sample s = { .tasks = 3 };

	ready_begin(r, &start->exposed);
	for (const struct phase *p = start->phases; p->until_ms; p++)
		while (s.at_ms < p->until_ms) {
			ready_set_tcp(r, p->tcp, count_ports(p->tcp, ARRAY_SIZE(p->tcp)));
			ready_set_udp(r, p->udp, count_ports(p->udp, ARRAY_SIZE(p->udp)));
			if (ready_sample(r, &s))
				return s.at_ms;
			add_step(&s, p);
		}
	return 0;
}

static void readiness_comes_when_the_guest_rests_and_not_before(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct ready r;
		int64_t ms = play(&r, &starts[i]);

		if (ms < starts[i].from_ms || ms > starts[i].to_ms || r.open != starts[i].open)
			fail_msg("%s: ready at %lld ms, open %d", starts[i].what, (long long)ms,
				 (int)r.open);
	}
}

static void only_an_image_that_exposes_a_port_can_be_half_started(void **unused)
{
	const struct ready_ports none = { .n_tcp = 0 }, exposed = TCP(80, 443);
	const uint16_t other = 5000, one = 443;
	struct ready r;

	(void)unused;
	ready_begin(&r, &none);
	assert_false(ready_is_half(&r));
	ready_begin(&r, &exposed);
	assert_true(ready_is_half(&r));
	ready_set_tcp(&r, &other, 1);
	assert_true(ready_is_half(&r));
	ready_set_tcp(&r, &one, 1);
	assert_false(ready_is_half(&r));
}

static void a_guest_that_lies_about_time_or_figures_breaks_nothing(void **unused)
{
	const struct ready_ports exposed = TCP(80);
	struct ready_sample s = { .at_ms = INT32_MAX, .cpu_us = UINT64_MAX, .births = UINT64_MAX };
	struct ready r;

	(void)unused;
	ready_begin(&r, &exposed);
	ready_set_tcp(&r, exposed.tcp, 1);
	ready_sample(&r, &s);
	s = (struct ready_sample){ .at_ms = 0 };
	assert_false(ready_sample(&r, &s)); /* time does not go back */
	s = (struct ready_sample){ .at_ms = INT32_MAX, .memory_bytes = UINT64_MAX };
	assert_false(ready_sample(&r, &s));
}

static void says(struct buf *to, const char *text)
{
	assert_string_equal(buf_str(to), text);
	buf_clear(to);
}

static void the_log_says_what_is_missing(void **unused)
{
	const struct ready_ports exposed = {
		.tcp = { 80, 443 }, .n_tcp = 2, .udp = { 53 }, .n_udp = 1
	};
	const struct ready_ports none = { .n_tcp = 0 };
	const uint16_t others[] = { 3000, 9229 }, some[] = { 80, 9229 }, all[] = { 80, 443 };
	autobuf struct buf b = { 0 };
	struct ready r;

	(void)unused;
	ready_begin(&r, &none);
	ready_say_wanted(&r, &b);
	says(&b, "port 8080 listens");
	ready_say_open(&r, &b);
	says(&b, "nothing listens on port 8080");
	ready_set_tcp(&r, others, 2);
	ready_say_open(&r, &b);
	says(&b, "nothing listens on port 8080; ports 3000 and 9229 listen instead");
	ready_begin(&r, &exposed);
	ready_say_wanted(&r, &b);
	says(&b, "ports 80, 443 and 53/udp listen");
	ready_set_tcp(&r, some, 2);
	ready_say_open(&r, &b);
	says(&b, "nothing listens on ports 443 and 53/udp, but the other EXPOSEd ones listen");
	ready_set_tcp(&r, all, 2);
	ready_set_udp(&r, exposed.udp, 1);
	ready_say_open(&r, &b);
	says(&b, "ports 80, 443 and 53/udp listen");
}

static void the_log_says_what_goes_on(void **unused)
{
	const struct ready_ports exposed = TCP(80);
	const struct ready_sample begin = { .at_ms = 0, .tasks = 1 };
	const struct ready_sample busy = { .at_ms = 1000,
					   .cpu_us = 970000,
					   .disk_bytes = 2 * MIB,
					   .net_bytes = 90 * KIB,
					   .births = 4,
					   .tasks = 5,
					   .output_bytes = 10 };
	struct ready_sample later = busy;
	autobuf struct buf b = { 0 };
	struct ready r;

	(void)unused;
	ready_begin(&r, &exposed);
	ready_sample(&r, &begin);
	ready_sample(&r, &busy);
	ready_say_rest(&r, &b);
	says(&b,
	     "the application works: it uses 97 % of a core, reads or writes 2048 KiB of disk a "
	     "second, moves 90 KiB over the network a second, begins 4 processes or threads a "
	     "second, writes output");
	later.at_ms = 2500;
	ready_sample(&r, &later);
	ready_say_rest(&r, &b);
	says(&b, "the application has been quiet for 1.5 seconds");
}

/* A file of starts/. */
struct recording {
	struct ready_ports exposed;
	int64_t serves_ms, rests_ms; /* -1: it never does */
	char open[16];
};

static void read_ports(char *text, uint16_t *ports, size_t *n)
{
	*n = 0;
	for (char *at = strtok(text, ","); at && *at != '-'; at = strtok(NULL, ","))
		ports[(*n)++] = (uint16_t)strtoul(at, NULL, 10);
}

static void read_exposed(struct ready_ports *to, char *text)
{
	for (char *save, *at = strtok_r(text, " ", &save); at; at = strtok_r(NULL, " ", &save)) {
		char *end;
		uint16_t port = (uint16_t)strtoul(at, &end, 10);

		if (!strcmp(end, "/udp"))
			to->udp[to->n_udp++] = port;
		else if (port)
			to->tcp[to->n_tcp++] = port;
	}
}

static void read_word(struct recording *to, char *line)
{
	char *value = strchr(line, ' ');

	if (!value)
		return;
	*value++ = '\0';
	if (!strcmp(line, "exposed"))
		read_exposed(&to->exposed, value);
	else if (!strcmp(line, "serves"))
		to->serves_ms = *value == '-' ? -1 : atoll(value);
	else if (!strcmp(line, "rests"))
		to->rests_ms = atoll(value);
	else if (!strcmp(line, "open"))
		snprintf(to->open, sizeof(to->open), "%s", value);
}

static bool play_line(struct ready *r, const char *line, int64_t *at_ms)
{
	unsigned long long v[7];
	char tcp[256], udp[256];
	struct ready_ports now;
	struct ready_sample s;

	if (sscanf(line, "%lld %llu %llu %llu %llu %llu %llu %llu %255s %255s", (long long *)at_ms,
		   &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], tcp, udp) != 10)
		fail_msg("no sample: %s", line);
	s = (struct ready_sample){ *at_ms, v[0], v[1], v[2], v[3], v[4], v[5], v[6] };
	read_ports(tcp, now.tcp, &now.n_tcp);
	read_ports(udp, now.udp, &now.n_udp);
	ready_set_tcp(r, now.tcp, now.n_tcp);
	ready_set_udp(r, now.udp, now.n_udp);
	return ready_sample(r, &s);
}

/* When it is ready, or -1. */
static int64_t play_file(FILE *file, struct recording *rec, struct ready *r)
{
	char line[1024];
	bool begun = false;
	int64_t at_ms;

	*rec = (struct recording){ .serves_ms = -1, .rests_ms = -1 };
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line < '0' || *line > '9') {
			read_word(rec, line);
			continue;
		}
		if (!begun)
			ready_begin(r, &rec->exposed);
		begun = true;
		if (play_line(r, line, &at_ms))
			return at_ms;
	}
	return -1;
}

static void play_recording(const char *name)
{
	static const char *const open[READY_NUM_OPEN] = { "nothing", "another", "some", "all" };
	autofree char *path = xasprintf("%s/%s", STARTS, name);
	FILE *file = fopen(path, "re");
	struct recording rec;
	int64_t ms, from, to;
	struct ready r;

	assert_non_null(file);
	ms = play_file(file, &rec, &r);
	fclose(file);
	from = rec.serves_ms >= 0 ? rec.serves_ms : rec.rests_ms;
	to = rec.serves_ms >= 0 ? from + 5000 : from + 15000;
	print_message("%-24s serves at %6lld ms, ready at %6lld\n", name, (long long)rec.serves_ms,
		      (long long)ms);
	if (ms < from || ms > to || strcmp(rec.open, open[r.open]) != 0)
		fail_msg("%s: ready at %lld ms with %s open, not from %lld to %lld with %s", name,
			 (long long)ms, open[r.open], (long long)from, (long long)to, rec.open);
}

static int is_recording(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".start");
}

static void a_real_start_is_ready_when_it_serves_and_within_five_seconds(void **unused)
{
	struct dirent **found;
	int n = scandir(STARTS, &found, is_recording, alphasort);

	(void)unused;
	assert_true(n >= 12);
	for (int i = 0; i < n; i++) {
		play_recording(found[i]->d_name);
		free(found[i]);
	}
	free(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readiness_comes_when_the_guest_rests_and_not_before),
		cmocka_unit_test(only_an_image_that_exposes_a_port_can_be_half_started),
		cmocka_unit_test(a_guest_that_lies_about_time_or_figures_breaks_nothing),
		cmocka_unit_test(the_log_says_what_is_missing),
		cmocka_unit_test(the_log_says_what_goes_on),
		cmocka_unit_test(a_real_start_is_ready_when_it_serves_and_within_five_seconds),
	};

	return cmocka_run_group_tests_name("image/ready", tests, NULL, NULL);
}
