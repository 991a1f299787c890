/* Dockerfiles: what they name, and what the builder gets to see of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/limits.h"
#include "wire/dockerfile.h"

static void add_name(void *arg, const char *name)
{
	buf_addf(arg, "%s ", name);
}

static const struct dockerfile_base *known(void *arg, const char *name)
{
	static const struct dockerfile_base base = { "localhost/base:1", NULL };
	static const struct dockerfile_base node = { "localhost/base:1", "RUN install node" };

	(void)arg;
	if (!strncmp(name, "node", 4))
		return &node;
	return strcmp(name, "unknown") ? &base : NULL;
}

/* The lowered text in *out, the notes in *notes; files are appended as "[data]". */
static int lower(const char *text, struct buf *out, struct buf *notes, struct err *e)
{
	const struct dockerfile_lowering how = { "amd64", known, NULL };
	struct dockerfile *d = dockerfile_parse(text, strlen(text), e);
	struct dockerfile_lowered l;
	int rc = d ? dockerfile_lower(d, &how, &l, e) : -1;

	dockerfile_free(d);
	if (rc)
		return -1;
	buf_adds(out, buf_str(&l.text));
	buf_adds(notes, buf_str(&l.notes));
	for (size_t i = 0; i < l.n_files; i++)
		buf_addf(out, "%s[%s]", l.files[i].script ? "x" : "", buf_str(&l.files[i].data));
	dockerfile_lowered_free(&l);
	return 0;
}

static void test_bases_are_found_wherever_they_are_named(void **unused)
{
	static const struct {
		const char *text, *names;
	} cases[] = {
		{ "FROM alpine", "alpine " },
		{ "from alpine as b\nFROM b\nFROM B", "alpine " },
		{ "FROM scratch\nCOPY a /", "" },
		{ "ARG V=3.12\nFROM python:${V}-slim", "python:3.12-slim " },
		{ "ARG V\nFROM python:${V:-3.11}", "python:3.11 " },
		{ "ARG A=x\nARG B=$A-y\nFROM \"$B:1\"", "x-y:1 " },
		{ "ARG A\nARG B=b\nFROM ${A:-${B}}", "b " },
		{ "ARG A=\nARG B\nFROM ${A:-x-${B:-${C:-c}}-y}:1", "x-c-y:1 " },
		{ "ARG A=a\nARG B=b\nFROM ${A:-${B}}${B:+-${A}}", "a-a " },
		{ "ARG B=b\nFROM ${A:-\"${B}\":${C:-'1'}}", "b:1 " },
		{ "ARG A=x}y\nARG B=${A:+\"}\"}${A:+'}'}${A:+\\}}\nFROM n${B:+o}", "no " },
		{ "FROM --platform=$BUILDPLATFORM golang:1 AS b", "golang:1 " },
		{ "FROM img-$TARGETARCH", "img-amd64 " },
		{ "FROM a\nFROM b\nCOPY --from=0 /x /\nCOPY --from=c/d:1 /x /", "a b c/d:1 " },
		{ "FROM a\nRUN --mount=type=bind,from=tool:2,target=/t x", "a tool:2 " },
		{ "FROM a\nRUN echo \\\n# comment\n\n  FROM b\nFROM a", "a " },
		{ "# escape=`\nFROM a\nRUN dir c:\\\nFROM b", "a b " },
		{ "\xef\xbb\xbf# syntax=docker/dockerfile:1\r\nFROM a\r\n", "a " },
		{ "FROM a\nRUN <<EOF\nFROM b\nEOF\nFROM c", "a c " },
		{ "FROM a\nRUN echo \"<<EOF\"\nFROM c", "a c " },
		{ "FROM a\nRUN echo $((1 <<2)) <<<x\nFROM c", "a c " },
		{ "FROM x@sha256:0123", "x@sha256:0123 " },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autobuf struct buf names = { 0 };
		struct err e = { 0 };
		struct dockerfile *d = dockerfile_parse(cases[i].text, strlen(cases[i].text), &e);

		if (!d || dockerfile_bases(d, "amd64", add_name, &names, &e))
			fail_msg("%s: %s", cases[i].text, e.text);
		assert_string_equal(buf_str(&names), cases[i].names);
		dockerfile_free(d);
	}
}

static void test_what_is_no_dockerfile_is_refused_with_its_line(void **unused)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "no FROM" },
		{ "RUN x", "no FROM" },
		{ "FROM a\n\nR-N x", "Dockerfile:3: no such instruction" },
		{ "FROM a\nTHISISNOTANINSTRUCTION x", "Dockerfile:2: no such instruction" },
		{ "FROM a\nRUN <<EOF\nx\n", "Dockerfile:2: nothing ends the heredoc" },
		{ "FROM", "FROM without a name" },
		{ "FROM $NOTHING", "FROM without a name" },
		{ "FROM a AS", "FROM without a name" },
		{ "FROM a b c", "not understood" },
		{ "FROM a;b", "malformed" },
		{ "ARG A=a\nFROM ${A", "Dockerfile:2: FROM: nothing closes a '${'" },
		{ "FROM ${A:-${B}", "Dockerfile:1: FROM: nothing closes a '${'" },
		{ "FROM ${A:-'}", "Dockerfile:1: FROM: nothing closes a '${'" },
		{ "FROM a\n\nCOPY <<E /x\n${A:-${B:-\nE\n",
		  "Dockerfile:3: the heredoc E: nothing closes a '${'" },
		{ "FROM a\nFROM unknown", "Dockerfile:2: the image 'unknown' is not known" },
		{ "FROM a\nCOPY --from=unknown /x /", "Dockerfile:2: the image 'unknown'" },
		{ "FROM a\nCOPY --from=node:22 /x /", "Dockerfile:2: the image 'node:22'" },
		{ "FROM a\nCOPY <<EOF\nx\nEOF\n", "COPY without a destination" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autobuf struct buf out = { 0 }, notes = { 0 };
		struct err e = { 0 };

		assert_int_equal(lower(cases[i].text, &out, &notes, &e), -1);
		if (!strstr(e.text, cases[i].why))
			fail_msg("%s: '%s'", cases[i].text, e.text);
	}
}

#define MOUNT "RUN --mount=type=bind,from=doze-heredocs,source="
#define AT    ",target=/dev/doze-heredoc "

static void test_lowering_changes_only_what_the_builder_does_not_know(void **unused)
{
	static const struct {
		const char *text, *parts[4]; /* must stand in the result, in this order */
	} cases[] = {
		{ "FROM a\nRUN x \\\n  # c\n  && y\nCMD [\"a\", \"b\"]\n",
		  { "FROM localhost/base:1\nRUN x \\\n  && y\nCMD [\"a\", \"b\"]\n" } },
		{ "FROM a AS b\nFROM b", { "FROM localhost/base:1 AS b\nFROM b\n" } },
		{ "FROM node:22-slim AS n\nENV A=1",
		  { "FROM localhost/base:1 AS n\nRUN install node\nENV A=1\n" } },
		{ "FROM a\nCOPY --link --chown=1:1 x /", { "\nCOPY --chown=1:1 x /\n" } },
		{ "FROM a\nCOPY --from=ext/tool:2 x /",
		  { "\nCOPY --from=localhost/base:1 x /\n" } },
		{ "FROM a\nRUN --mount=type=bind,from=t,target=/t x",
		  { "\nRUN --mount=type=bind,from=localhost/base:1,target=/t x\n" } },
		{ "FROM a\nHEALTHCHECK CMD x\nUSER u", { "FROM localhost/base:1\nUSER u\n" } },
		{ "FROM a\nRUN <<EOF\nset -e\necho $A\nEOF\n",
		  { MOUNT, AT ". /dev/doze-heredoc\n", "x[set -e\necho $A\n]" } },
		{ "FROM a\nRUN <<-'EOF'\n\t#!/bin/python\n\tx\n\tEOF\n",
		  { MOUNT, AT "/dev/doze-heredoc\n", "x[#!/bin/python\nx\n]" } },
		{ "FROM a\nRUN --network=none cat <<A > /x && cat <<B\n1\nA\n2\nB\nUSER u",
		  { "RUN --network=none --mount", "\nUSER u\n",
		    "x[cat <<A > /x && cat <<B\n1\nA\n2\nB\n]" } },
		{ "FROM a\nENV V=1\nCOPY <<c.txt /d/\n$V \\$V ${W:-w}\nc.txt\n",
		  { "COPY --from=doze-heredocs ", "/c.txt /d/\n", "[1 $V w\n]" } },
		{ "FROM a\nARG V=1\nADD --chmod=600 f <<'E' /d/\n$V\nE\n",
		  { "ADD --chmod=600 f /d/\n", "COPY --chmod=600 --from=doze-heredocs ",
		    "[$V\n]" } },
		{ "FROM a\nARG B=b\nCOPY --link --chown=1 <<a \"p q\" <<'b' /d/\n"
		  "${A:-${B}} ${B:+${B:-n}c} ${A-'}'} ${A+'}'}\na\n${A:-${B}}\nb\nUSER u",
		  { "COPY --chown=1 \"p q\" /d/\nCOPY --chown=1 --from=doze-heredocs ", "/a ",
		    "/b /d/\nUSER u\n", "[b bc } \n][${A:-${B}}\n]" } },
		{ "# escape=`\nFROM a\nENV A=\"`$`\"``x`y\"\nCOPY <<E /d\n$A\nE\n",
		  { "[$\"`x`y\n]" } },
		{ "FROM a\nADD --checksum=sha256:0 --keep-git-dir=true --chown=1 u <<a /d\nA\na\n",
		  { "ADD --checksum=sha256:0 --keep-git-dir=true --chown=1 u /d\nCOPY --chown=1 "
		    "--from=doze-heredocs ",
		    "/a /d\n" } },
		{ "FROM a\nCOPY --from=ext --chmod=755 f <<a /d/\nA\na\n",
		  { "COPY --from=localhost/base:1 --chmod=755 f /d/\nCOPY --chmod=755 "
		    "--from=doze-heredocs ",
		    "/a /d/\n" } },
		{ "FROM a\nRUN --mount=type=cache,target=/c --network=none <<E  \nx\nE\n",
		  { "\nRUN --mount=type=cache,target=/c --network=none --mount=type=bind,",
		    AT ". /dev/doze-heredoc\n", "x[x\n]" } },
		{ "FROM a\nRUN --network=none 3<<E\nx\nE\n",
		  { "\nRUN --network=none --mount=type=bind,", AT, "x[3<<E\nx\nE\n]" } },
		{ "FROM a\nRUN <<E cat \"a  b\"\nx\nE\n",
		  { MOUNT, AT, "x[<<E cat \"a  b\"\nx\nE\n]" } },
		{ "# escape=`\nFROM a\nRUN x `\n y", { "# escape=`\nFROM", "RUN x `\n y\n" } },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autobuf struct buf out = { 0 }, notes = { 0 };
		struct err e = { 0 };
		const char *at;

		if (lower(cases[i].text, &out, &notes, &e))
			fail_msg("%s: %s", cases[i].text, e.text);
		at = buf_str(&out);
		for (size_t n = 0; n < 4 && cases[i].parts[n]; n++) {
			at = strstr(at, cases[i].parts[n]);
			if (!at)
				fail_msg("'%s' is not in '%s'", cases[i].parts[n], buf_str(&out));
			at += strlen(cases[i].parts[n]);
		}
	}
}

static void test_unclosed_variables_are_refused_in_the_time_of_one_reading(void **unused)
{
	static const char *const units[] = { "${a", "${a:-", "${a:-${b}", "${a:-'", "${a:+${b:-" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		autobuf struct buf text = { 0 }, out = { 0 }, notes = { 0 };
		struct timespec before, after;
		struct err e = { 0 };

		buf_adds(&text, "FROM a\nCOPY <<E /x\n");
		while (text.size < LIMIT_DOCKERFILE - 16)
			buf_adds(&text, units[i]);
		buf_adds(&text, "\nE\n");
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
		assert_int_equal(lower(buf_str(&text), &out, &notes, &e), -1);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
		assert_non_null(strstr(e.text, "Dockerfile:2: the heredoc E: "));
		assert_in_range(after.tv_sec - before.tv_sec, 0, 2); /* the square: minutes */
	}
}

static void test_notes_say_what_was_left_out_and_what_may_not_run(void **unused)
{
	autobuf struct buf out = { 0 }, notes = { 0 };
	struct err e = { 0 };

	(void)unused;
	assert_int_equal(lower("FROM --platform=linux/arm64 a\nHEALTHCHECK NONE\nCOPY --link a /\n"
			       "RUN curl -O https://x/y-AARCH64.tar.gz\n",
			       &out, &notes, &e),
			 0);
	assert_non_null(strstr(buf_str(&notes), "Dockerfile:1: --platform is ignored"));
	assert_non_null(strstr(buf_str(&notes), "Dockerfile:2: HEALTHCHECK has no effect"));
	assert_non_null(strstr(buf_str(&notes), "Dockerfile:3: --link"));
	assert_non_null(strstr(buf_str(&notes), "Dockerfile:4: warning: it names aarch64"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bases_are_found_wherever_they_are_named),
		cmocka_unit_test(test_what_is_no_dockerfile_is_refused_with_its_line),
		cmocka_unit_test(test_lowering_changes_only_what_the_builder_does_not_know),
		cmocka_unit_test(test_unclosed_variables_are_refused_in_the_time_of_one_reading),
		cmocka_unit_test(test_notes_say_what_was_left_out_and_what_may_not_run),
	};

	return cmocka_run_group_tests_name("wire/dockerfile", tests, NULL, NULL);
}
