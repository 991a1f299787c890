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
	static struct dockerfile_base base = { .image = "localhost/base:1" };

	base.config = strncmp(name, "with", 4) ? NULL : arg;
	return strcmp(name, "unknown") ? &base : NULL;
}

static const char *content(void *arg, const char *path)
{
	(void)arg;
	return *path ? "11112222" : "00000000";
}

static bool folder(void *arg, const char *path)
{
	(void)arg;
	return !strcmp(path, "tree");
}

static bool odd(void *arg)
{
	(void)arg;
	return true;
}

/* A base image "with..." has this configuration. */
static json_t *configuration(void)
{
	return json_pack("{s:[s,s], s:s, s:s, s:[s,s,s], s:{s:{}}, s:[s,s]}", "Env", "B=base",
			 "PATH=/p", "WorkingDir", "/base", "User", "u", "Shell", "/bin/bash", "-e",
			 "-c", "Volumes", "/vol", "OnBuild", "ENV T=trigger", "RUN made");
}

/* The lowered text in *out, the notes in *notes; files are appended as "[data]", fetches as
 * "<url>". */
static int lower(const char *text, struct buf *out, struct buf *notes, struct err *e)
{
	json_t *config = configuration();
	const struct dockerfile_lowering how = {
		.arch = "amd64", .base = known, .content = content, .arg = config, .folder = folder
	};
	struct dockerfile *d = dockerfile_parse(text, strlen(text), e);
	struct dockerfile_lowered l;
	int rc = d ? dockerfile_lower(d, &how, &l, e) : -1;

	dockerfile_free(d);
	json_decref(config);
	if (rc)
		return -1;
	buf_adds(out, buf_str(&l.text));
	buf_adds(notes, buf_str(&l.notes));
	for (size_t i = 0; i < l.n_files; i++)
		buf_addf(out, "%s[%s]", l.files[i].script ? "x" : "", buf_str(&l.files[i].data));
	for (size_t i = 0; i < l.n_fetches; i++)
		buf_addf(out, "<%s %s%s>", l.fetches[i].url,
			 l.fetches[i].ref ? l.fetches[i].ref : "",
			 l.fetches[i].subdir ? l.fetches[i].subdir : "");
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
		{ "# escape=`\nFROM a\nRUN dir c:\\\nFROM b\nCOPY --from=0 x x", "a b " },
		{ "FROM a\nFROM b AS unused\nFROM a", "a " },
		{ "FROM a AS x\nONBUILD COPY --from=y /y /\nFROM x", "a " },
		{ "FROM y:1 AS Y\nFROM a AS x\nONBUILD COPY --from=y /y /\nFROM x", "y:1 a " },
		{ "FROM a AS A\nFROM b\nRUN --mount=from=A,target=/a x", "a b " },
		{ "\xef\xbb\xbf# syntax=docker/dockerfile:1\r\nFROM a\r\n", "a " },
		{ "FROM a\nRUN <<EOF\nFROM b\nEOF\nFROM c\nCOPY --from=0 x x", "a c " },
		{ "FROM a\nRUN << EOF\nFROM b\nEOF\nFROM c\nCOPY --from=0 x x", "a c " },
		{ "FROM a\nRUN echo \"<<EOF\"\nFROM c\nCOPY --from=0 x x", "a c " },
		{ "FROM a\nRUN echo $((1 <<2)) <<<x\nFROM c\nCOPY --from=0 x x", "a c " },
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
		{ "FROM a AS 1stage", "invalid name for build stage: \"1stage\"" },
		{ "FROM a AS 0", "invalid name for build stage: \"0\"" },
		{ "FROM a AS -x", "invalid name for build stage" },
		{ "FROM a AS x/y", "invalid name for build stage" },
		{ "FROM a AS x:y", "invalid name for build stage" },
		{ "FROM a b c", "not understood" },
		{ "FROM a;b", "malformed" },
		{ "ARG A=a\nFROM ${A", "Dockerfile:2: FROM: nothing closes a '${'" },
		{ "FROM ${A:-${B}", "Dockerfile:1: FROM: nothing closes a '${'" },
		{ "FROM ${A:-'}", "Dockerfile:1: FROM: nothing closes a '${'" },
		{ "FROM a\n\nCOPY <<E /x\n${A:-${B:-\nE\n",
		  "Dockerfile:3: the heredoc E: nothing closes a '${'" },
		{ "FROM a\nFROM unknown", "Dockerfile:2: the image 'unknown' is not known" },
		{ "FROM a\nCOPY --from=unknown /x /", "Dockerfile:2: the image 'unknown'" },
		{ "FROM a\nCOPY <<EOF\nx\nEOF\n", "COPY without a destination" },
		{ "FROM a\nRUNX x", "Dockerfile:2: no such instruction: RUNX (do you mean RUN?)" },
		{ "FROM a\nWORKDIRS x", "(do you mean WORKDIR?)" },
		{ "# escape=x\nFROM a", "Dockerfile:1: the escape character" },
		{ "RUN x\nFROM a", "Dockerfile:1: only ARG may stand before the first FROM" },
		{ "FROM a\nENV A", "Dockerfile:2: ENV needs a name and a value" },
		{ "FROM a\nENV A=1 B", "'B' is not NAME=VALUE" },
		{ "FROM a\nENV A=${B?}", "Dockerfile:2: ENV: the variable B is not set" },
		{ "FROM a\nARG B=\nENV A=\"${B:?give one}\"",
		  "the variable B is missing: give one" },
		{ "FROM a\nENV A=${B^^}", "a '${' has a modifier that does not exist" },
		{ "FROM a\nENV A=${}", "a '${' is followed by no name" },
		{ "FROM a\nENV A='x", "nothing closes a quote" },
		{ "FROM a\nARG V=1\nENV A=${V#\\x}", "escapes nothing" },
		{ "FROM a\nCOPY --form=b x /", "COPY has no flag --form (do you mean --from?)" },
		{ "FROM a\nCOPY --from=$X x /", "Dockerfile:2: --from takes no variables" },
		{ "FROM a\nCOPY a b /c", "needs a destination that ends with /" },
		{ "FROM a\nCOPY --chmod=999 a /c", "neither octal nor symbolic" },
		{ "FROM a\nCOPY https://x/y /c", "COPY takes no URL" },
		{ "FROM a\nADD --checksum=md5:1 https://x/y /c", "--checksum is sha256:" },
		{ "FROM a\nADD --checksum=sha256:1 y /c", "--checksum is for URLs" },
		{ "FROM a\nADD git@x:y.git /c", "by SSH" },
		{ "FROM a\nRUN --mount=type=bind x", "RUN --mount needs a target" },
		{ "FROM a\nRUN --mount=target=/ x", "the target cannot be /" },
		{ "FROM a\nRUN --mount=typo=bind x", "does not understand 'typo'" },
		{ "FROM a\nRUN --mount=type=nfs,target=/x x", "there is no type nfs" },
		{ "FROM a\nRUN --mount=type=ssh x", "builds have no SSH agent here" },
		{ "FROM a\nRUN --mount=type=secret,id=x,required x", "this one is required" },
		{ "FROM a\nRUN --network=bridge x", "default, none or host" },
		{ "FROM a\nRUN --security=insecure x", "only sandbox" },
		{ "FROM a\nRUN [\"a\", 1]", "an array may hold strings only" },
		{ "FROM a\nSHELL /bin/sh -c", "SHELL takes an array" },
		{ "FROM a\nEXPOSE 80x", "EXPOSE: '80x' is no port" },
		{ "FROM a\nEXPOSE 90-80", "'90-80' is no port" },
		{ "FROM a\nSTOPSIGNAL ;", "is no signal" },
		{ "FROM a\nHEALTHCHECK x", "HEALTHCHECK takes NONE" },
		{ "FROM a\nHEALTHCHECK --interval=5 CMD x", "'5' is not understood" },
		{ "FROM a\nONBUILD FROM b", "ONBUILD cannot keep this" },
		{ "FROM a\nONBUILD ONBUILD RUN x", "ONBUILD cannot keep this" },
		{ "FROM a\nVOLUME [\"\"]", "a path is empty" },
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

/* The builder makes a working directory when something runs in it. */
#define MAKE                                                                             \
	"RUN --mount=type=bind,from=doze-tools,source=/doze-copy,target=/dev/doze-copy " \
	"[\"/dev/doze-copy\"]\n"
#define SH(command) "RUN [\"/bin/sh\",\"-c\",\"" command "\"]\n"

static void test_lowering_leaves_nothing_to_expand(void **unused)
{
	static const struct {
		const char *text, *parts[4]; /* must stand in the result, in this order */
	} cases[] = {
		/* variables */
		{ "FROM a\nARG V=v1.2.3\nENV A=${V#v} B=${V%.*} C=${V%%.*} D=${V##*.} E=${V//./-} "
		  "F=${V/./-}",
		  { "ENV A=1.2.3 B=v1.2 C=v1 D=3 E=v1-2-3 F=v1-2.3\n" } },
		{ "FROM a\nARG V=a\\*b\nENV A=${V#a\\*} B=${V/\\*/x} C=${V#?}",
		  { "ENV A=b B=axb C=\\*b\n" } },
		{ "FROM a\nARG E=\nENV A=${E:-x} B=${E-x} C=${N-y} D=${E:+z} F=${E+z} G=${N+z}",
		  { "ENV A=x B= C=y D= F=z G=\n" } },
		{ "FROM a\nENV A=1\nENV A=2 B=$A", { "ENV A=2 B=1\n" } },
		{ "FROM a\nENV A \"x\" 'y' $B\\ z", { "ENV A=x\\ y\\ \\ z\n" } },
		{ "FROM a\nENV A='$B' B=\"a\\\"b\\c\" C=a\\ b D=\\$x",
		  { "ENV A=\\$B B=a\\\"b\\\\c C=a\\ b D=\\$x\n" } },
		{ "FROM a\nENV A=$@b$1c${X}", { "ENV A=bc\n" } },
		{ "FROM a\nENV N=A\nENV $N=1 ${N}B=2", { "ENV A=1 AB=2\n" } },
		{ "ARG G=g\nFROM a\nARG G\nARG TARGETARCH\nENV A=$G-$TARGETARCH-$TARGETOS",
		  { "ENV A=g-amd64-\n" } },
		{ "FROM a\nARG A=1\nRUN x\nRUN y\nARG A=2\nRUN z",
		  { "\nARG A=1\n" SH("x") SH("y") "ARG A=2\n" SH("z") } },
		{ "FROM a\nARG A=1\nCOPY x /$A",
		  { "FROM localhost/base:1 AS doze-stage-0-", "\nCOPY [\"/x\",\"/1\"]\n" } },
		{ "FROM a AS p\nARG A=1\nFROM P\nRUN x",
		  { "AS ", "FROM doze-stage-0-", "\nARG A=1\n" SH("x") } },
		{ "FROM with\nENV A=$B-$T\nWORKDIR x\nUSER $B",
		  { "ENV A=base-trigger\nWORKDIR /base/x\n" MAKE
		    "USER base\nVOLUME [\"/vol\"]\n" } },
		{ "FROM a\nWORKDIR /w\nCOPY a b\nUSER u\nWORKDIR x\nCOPY a b",
		  { "WORKDIR /w\nCOPY [\"/a\",\"/w/b\"]\nUSER u\nWORKDIR /w/x\n" MAKE "COPY " } },
		{ "FROM a\nWORKDIR /w\nCOPY a /b", { "COPY [\"/a\",\"/b\"]\n" MAKE } },
		/* stages */
		{ "FROM a AS Build\nFROM b AS unused\nRUN no\nFROM build\nCOPY --from=BUILD x y",
		  { "FROM localhost/base:1 AS doze-stage-0-", "\nFROM doze-stage-0-",
		    "\nCOPY --from=doze-stage-0-", " [\"/x\",\"/y\"]\n" } },
		{ "FROM a\nFROM b\nCOPY --from=0 x /", { "\nCOPY --from=doze-stage-0-" } },
		{ "FROM a\nCOPY --from=ext/tool:2 x /",
		  { "\nCOPY --from=localhost/base:1 [\"/x\",\"/\"]\n" } },
		{ "FROM scratch\nCOPY x /", { "FROM scratch AS ", "COPY [\"/x\",\"/\"]\n" } },
		{ "FROM a AS t\nONBUILD RUN <<E\nx\nE\nONBUILD ENV A=1\nFROM t\nENV B=$A",
		  { "FROM doze-stage-0-", SH("x\\u000a") "ENV A=1\nENV B=1\n" } },
		/* COPY and ADD */
		{ "FROM a\nCOPY --link --chown=$X:1 --chmod=0755 x /",
		  { "\nCOPY --chown=:1 --chmod=0755 [\"/x\",\"/\"]\n" } },
		{ "FROM a\nWORKDIR /w\nCOPY . .\nCOPY ../../x ./y/../z/\nCOPY [\"a b\", \"c$\"]",
		  { "COPY [\"/\",\"/w/\"]\nCOPY [\"/x\",\"/w/z/\"]\nCOPY "
		    "[\"/a\\\\ b\",\"/w/c\\\\$\"]\n" } },
		{ "FROM a\nCOPY *.js? [ab]*.c /x/",
		  { "COPY [\"/\\\\*.js\\\\?\",\"/\\\\[ab\\\\]\\\\*.c\",\"/x/\"]\n" } },
		{ "FROM a\nADD x.tar /\nADD --unpack=false x.tar /",
		  { "ADD [\"/x.tar\",\"/\"]\nCOPY [\"/x.tar\",\"/\"]\n" } },
		{ "FROM a\nADD --chown=1 l https://h/p/f.txt?q http://h /d/",
		  { "ADD --chown=1 [\"/l\",\"/d/\"]\nCOPY --from=doze-fetched --chown=1 [\"",
		    "/f.txt\",\"", "/__unnamed__\",\"/d/\"]\n<https://h/p/f.txt?q ><http://h >" } },
		{ "FROM a\nADD https://h/r.git#v1:s/../d /d",
		  { "COPY --from=doze-fetched [\"", "/tree/.\",\"/d\"]\n<https://h/r.git v1/d>" } },
		{ "FROM a\nUSER u\nCOPY --parents --exclude=*.o x/./y /z/\nCOPY --chmod=u+x a /b",
		  { "USER 0:0\nRUN --mount=type=bind,from=doze-context-00000000,source=/",
		    "[\"/dev/doze-copy\",\"--parents\",\"--exclude=*.o\",\"--own\",\"--\",\"x/./"
		    "y\","
		    "\"/z/\"]\nUSER u\n",
		    "from=doze-context-11112222,",
		    "\"--chmod=u+x\",\"--own\",\"--\",\"a\",\"/b\"]\n" } },
		/* links of the base that a folder would replace */
		{ "FROM a\nUSER u\nCOPY tree ///\nCOPY tree /x",
		  { "\nUSER u\nUSER 0:0\nRUN ",
		    "\"--look\",\"--\",\"tree\",\"/\"]\nUSER u\n"
		    "COPY [\"/tree\",\"/\"]\nCOPY [\"/tree\",\"/x\"]\n" } },
		{ "FROM a AS s\nFROM a\nCOPY --from=s /o /usr/local/\nCOPY file /",
		  { "\"--look\",\"--\",\"/o\",\"/usr/local/\"]\nCOPY --from=",
		    "COPY [\"/file\"" } },
		{ "FROM scratch\nCOPY tree /",
		  { "FROM scratch AS ", "\nCOPY [\"/tree\",\"/\"]\n" } },
		/* heredocs */
		{ "FROM a\nRUN <<EOF\nset -e\necho $A\nEOF\n",
		  { SH("set -e\\u000aecho $A\\u000a") } },
		{ "FROM a\nRUN <<-'EOF'\n\t#!/bin/python\n\tx\n\tEOF\n",
		  { "RUN --mount=type=bind,from=doze-heredocs,source=",
		    "/script,target=/dev/doze-heredoc [\"/dev/doze-heredoc\"]\n",
		    "x[#!/bin/python\nx\n]" } },
		{ "FROM a\nRUN cat <<A > /x && cat <<B\n1\nA\n2\nB\nUSER u",
		  { SH("cat <<A > /x && cat <<B\\u000a1\\u000aA\\u000a2\\u000aB\\u000a") "USER "
											 "u\n" } },
		{ "FROM a\nRUN 3<<E\nx\nE\n", { SH("3<<E\\u000ax\\u000aE\\u000a") } },
		{ "FROM a\nENV V=1\nCOPY <<c.txt /d/\n$V \\$V ${W:-w} '\"\\n\nc.txt\n",
		  { "COPY --from=doze-heredocs [\"", "/c.txt\",\"/d/\"]\n[1 $V w '\"n\n]" } },
		{ "FROM a\nARG B=b\nCOPY --chown=1 <<a \"p q\" <<'b' /d/\n"
		  "${A:-${B}} ${B:+${B:-n}c} ${A-'}'} ${A+'}'}\na\n${A:-${B}}\nb\nUSER u",
		  { "COPY --chown=1 [\"/p\\\\ q\",\"/d/\"]\nCOPY --from=doze-heredocs --chown=1 "
		    "[\"",
		    "/a\",\"", "/b\",\"/d/\"]\nUSER u\n" } },
		{ "# escape=`\nFROM a\nENV A=\"`$`\"``x`y\"\nCOPY <<E /d\n$A\nE\n",
		  { "[$\"`x`y\n]" } },
		/* RUN */
		{ "FROM a\nRUN x \\\n  # c\n\n  && \"y\" $Z\n",
		  { "\nRUN [\"/bin/sh\",\"-c\",\"x   && "
		    "\\\"y\\\" $Z\"]\n" } },
		{ "FROM a\nSHELL [\"bash\", \"-c\"]\nRUN x\nCMD y\nRUN [ \"a\" , \"b\"]\nCMD [x]",
		  { "SHELL [\"bash\",\"-c\"]\nRUN [\"bash\",\"-c\",\"x\"]\nCMD "
		    "[\"bash\",\"-c\",\"y\"]\nRUN [\"a\",\"b\"]\nCMD "
		    "[\"bash\",\"-c\",\"[x]\"]\n" } },
		{ "FROM with\nRUN x", { "\nRUN [\"/bin/bash\",\"-e\",\"-c\",\"x\"]\n" } },
		{ "FROM a\nWORKDIR /w\nENV T=t\nRUN "
		  "--mount=type=cache,target=$T,rw,id=/../x,sharing="
		  "locked,uid=1,mode=0700 x",
		  { "RUN --mount=type=cache,id=", ",sharing=locked,mode=0700,uid=1,target=/w/t "
						  "[" } },
		{ "FROM a\nRUN --mount=target=/x --mount=source=f,target=/f,rw x",
		  { "RUN --mount=type=bind,from=doze-context-00000000,source=/,target=/x "
		    "--mount=type=bind,from=doze-context-11112222,source=/f,target=/f,rw "
		    "--mount=type=tmpfs,target=/dev/doze-own-copy/f [" } },
		{ "FROM a AS s\nFROM a\nRUN --mount=from=S,target=/x --mount=from=t,target=/t x",
		  { "RUN --mount=type=bind,from=doze-stage-0-",
		    ",source=/,target=/x "
		    "--mount=type=bind,from=localhost/base:1,source=/,target=/t [" } },
		{ "FROM a\nRUN --mount=type=tmpfs,target=/x,size=2m --network=none x",
		  { "RUN --mount=type=tmpfs,tmpfs-size=2097152,target=/x "
		    "--mount=type=tmpfs,target=/dev/doze-no-network [" } },
		{ "FROM a\nRUN --mount=type=secret,id=x --mount=type=ssh,required=false "
		  "--network=default --security=sandbox x",
		  { "AS ", "\n" SH("x") } },
		/* the configuration */
		{ "FROM a\nEXPOSE 80 90-92/UDP 1.2.3.4:5:6",
		  { "EXPOSE 80/tcp 90/udp 91/udp 92/udp "
		    "6/tcp\n" } },
		{ "FROM a\nARG P=\"1 2\"\nEXPOSE $P", { "EXPOSE 1/tcp 2/tcp\n" } },
		{ "FROM a\nVOLUME /a $B/b\nVOLUME [\"/c d\"]\nRUN x",
		  { SH("x") "VOLUME [\"/a\",\"/b\",\"/c\\\\ d\"]\n" } },
		{ "FROM a\nHEALTHCHECK --interval=1m30s --start-interval=1s CMD a || "
		  "b\nHEALTHCHECK "
		  "NONE",
		  { "HEALTHCHECK --interval=1m30s CMD a || b\nHEALTHCHECK NONE\n" } },
		{ "FROM a\nLABEL a.b=c \"d e\"='f'\nMAINTAINER A <b@c>\nSTOPSIGNAL SIGQUIT",
		  { "LABEL a.b=c d\\ e=f\nMAINTAINER A\\ \\<b@c\\>\nSTOPSIGNAL SIGQUIT\n" } },
		{ "FROM a\nENTRYPOINT exec x\nCMD\nENTRYPOINT []",
		  { "ENTRYPOINT [\"/bin/sh\",\"-c\",\"exec x\"]\nCMD []\nENTRYPOINT []\n"
		    "CMD []\n" } },
		{ "FROM a\nCMD [\"x\"]\nENTRYPOINT [\"y\"]",
		  { "CMD [\"x\"]\nENTRYPOINT [\"y\"]\nCMD [\"x\"]\n" } },
		{ "FROM a\nONBUILD RUN x", { "ONBUILD RUN x\n" } },
		/* lines */
		{ "\xef\xbb\xbf# syntax=x\r\n# check=skip=all\r\n# escape=`\r\nfrom a\r\nrun x "
		  "`\r\n y\r\n",
		  { SH("x  y") } },
		{ "FROM a\n\tEnV\tA=1\n", { "ENV A=1\n" } },
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

static void test_steps_keep_the_numbers_of_their_user(void **unused)
{
	static const char text[] = "FROM a AS x\nARG A=1\nRUN one\nFROM b AS y\nRUN no\n"
				   "FROM x\nCOPY <<E f /d/\nE\nVOLUME /v\n";
	static const struct {
		unsigned stage, number, of;
		int line;
	} steps[] = { { 1, 1, 3, 1 }, { 1, 0, 0, 3 }, { 1, 3, 3, 3 }, { 2, 1, 3, 6 },
		      { 2, 2, 3, 7 }, { 2, 2, 3, 7 }, { 2, 0, 0, 6 } };
	const struct dockerfile_lowering how = {
		.arch = "amd64", .base = known, .content = content, .arg = NULL
	};
	struct err e = { 0 };
	struct dockerfile *d = dockerfile_parse(text, strlen(text), &e);
	struct dockerfile_lowered l;

	(void)unused;
	assert_non_null(d);
	assert_int_equal(dockerfile_lower(d, &how, &l, &e), 0);
	assert_int_equal(l.n_steps, ARRAY_SIZE(steps));
	assert_int_equal(l.n_stages, 2);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_int_equal(l.steps[i].stage, steps[i].stage);
		assert_int_equal(l.steps[i].number, steps[i].number);
		assert_int_equal(l.steps[i].of, steps[i].of);
		assert_int_equal(l.steps[i].line, steps[i].line);
	}
	assert_string_equal(l.steps[2].text, "RUN one");
	dockerfile_lowered_free(&l);
	dockerfile_free(d);
}

/* The builder reads what a wildcard matched as a pattern once more. */
static void test_wildcards_for_names_with_brackets_are_not_left_to_the_builder(void **unused)
{
	static const struct {
		const char *copy;
		bool odd, special;
	} rows[] = {
		{ "COPY p/*.js /x/", true, true },
		{ "COPY a p/[[]id].js /x/", true, true },
		{ "COPY p/*.js /x/", false, false },
		{ "COPY p /x/", true, false },
		{ "ADD p/*.js /x/", true, false },
		{ "COPY --from=b p/[[]id].js /x/", false, true },
		{ "COPY --from=b p/*.jar /x/", false, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *text = xasprintf("FROM a\n%s\n", rows[i].copy);
		const struct dockerfile_lowering how = { .arch = "amd64",
							 .base = known,
							 .content = content,
							 .odd_names = rows[i].odd ? odd : NULL };
		struct err e = { 0 };
		struct dockerfile *d = dockerfile_parse(text, strlen(text), &e);
		struct dockerfile_lowered l;

		assert_int_equal(dockerfile_lower(d, &how, &l, &e), 0);
		assert_int_equal(!!strstr(buf_str(&l.text), "doze-copy"), rows[i].special);
		dockerfile_lowered_free(&l);
		dockerfile_free(d);
	}
}

/* The builder finds no file system of a stage that comes from its cache as a whole. */
static void test_a_stage_that_is_mounted_has_one_without_instructions(void **unused)
{
	static const char text[] =
		"FROM a AS s\nRUN one\nFROM b\nRUN --mount=from=s,target=/x two\n"
		"FROM b\nRUN --mount=from=0,target=/x --mount=from=1,target=/y three\n"
		"COPY --from=1 /a /b\n";
	static const struct {
		unsigned stage, user_stage, number;
		const char *lowered;
	} steps[] = {
		{ 1, 1, 1, "FROM " }, { 1, 1, 2, "RUN [" },       { 2, 2, 0, "FROM " },
		{ 3, 2, 1, "FROM " }, { 3, 2, 2, "RUN --mount" }, { 4, 3, 0, "FROM " },
		{ 5, 3, 1, "FROM " }, { 5, 3, 2, "RUN --mount" }, { 5, 3, 3, "COPY --from=" },
	};
	const struct dockerfile_lowering how = {
		.arch = "amd64", .base = known, .content = content, .arg = NULL
	};
	struct err e = { 0 };
	struct dockerfile *d = dockerfile_parse(text, strlen(text), &e);
	struct dockerfile_lowered l;
	const char *at;

	(void)unused;
	assert_non_null(d);
	assert_int_equal(dockerfile_lower(d, &how, &l, &e), 0);
	assert_int_equal(l.n_steps, ARRAY_SIZE(steps));
	assert_int_equal(l.n_stages, 3);
	assert_int_equal(l.n_lowered_stages, 5);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_int_equal(l.steps[i].stage, steps[i].stage);
		assert_int_equal(l.steps[i].user_stage, steps[i].user_stage);
		assert_int_equal(l.steps[i].number, steps[i].number);
		assert_memory_equal(l.steps[i].lowered, steps[i].lowered, strlen(steps[i].lowered));
	}
	at = strstr(buf_str(&l.text), "-tree\nFROM ");
	assert_non_null(at);
	assert_non_null(strstr(at, "-tree,source=/,target=/x "));
	assert_null(strstr(strstr(at, "COPY --from="), "-tree")); /* a copy finds a cached stage */
	dockerfile_lowered_free(&l);
	dockerfile_free(d);
}

/* Each of these would be lowered to gigabytes, or for hours. */
static void test_what_variables_make_of_a_file_has_a_limit(void **unused)
{
	static const struct {
		const char *first;       /* with a value of 512 KiB in A */
		const char *each, *last; /* @each comes a thousand times */
		const char *says;
	} rows[] = {
		{ "", "ENV A=$A$A\n", "", "Dockerfile:4: ENV: its variables make it too long." },
		{ "", "ARG A=$A$A\n", "", "ARG: the value is too long." },
		{ "", "ENV B=$A\n", "", "ENV: its variables make it too long." },
		{ "LABEL", " a=$A", "", "LABEL: its variables make it too long." },
		{ "COPY", " $A", " /", "COPY: its variables make it too long." },
		{ "ENV B=\"${A//?/$A}\"", "\n", "", "ENV: its variables make it too long." },
		{ "ENV B=\"${A##*", "?*", "x}\"", "ENV: its variables make it too long." },
		{ "ENV B=\"${A//*", "?*", "x/}\"", "ENV: its variables make it too long." },
		{ "EXPOSE 1-65535", " 1-65535", "", "EXPOSE: its variables make it too long." },
		{ "SHELL [\"$A\"]", "\nRUN x", "", "" },
		{ "", "FROM s AS s\nRUN x\n", "", "FROM: its variables make it too long." },
		{ "COPY <<E /x\n", "$A", "\nE\n",
		  "the heredoc E: its variables make it too long." },
	};
	const struct dockerfile_lowering how = {
		.arch = "amd64", .base = known, .content = content, .arg = NULL
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autobuf struct buf text = { 0 };
		struct err e = { 0 };
		struct dockerfile *d;
		struct dockerfile_lowered l = { 0 };
		int rc;

		buf_adds(&text, "FROM a AS s\nENV A=");
		for (int n = 0; n < 65536; n++)
			buf_adds(&text, "12345678");
		buf_adds(&text, "\n");
		buf_adds(&text, rows[i].first);
		for (int n = 0; n < 1000; n++)
			buf_adds(&text, rows[i].each);
		buf_adds(&text, rows[i].last);
		d = dockerfile_parse(buf_str(&text), text.size, &e);
		assert_non_null(d);
		rc = dockerfile_lower(d, &how, &l, &e);
		if (!rc)
			assert_true(l.text.size < 64 * MIB);
		if (rc != (*rows[i].says ? -1 : 0) || !strstr(e.text, rows[i].says))
			fail_msg("%s: %s", rows[i].first, e.text);
		dockerfile_lowered_free(&l);
		dockerfile_free(d);
	}
}

static void test_a_long_line_is_broken_where_the_builder_joins_it(void **unused)
{
	autobuf struct buf text = { 0 }, out = { 0 }, notes = { 0 };
	struct err e = { 0 };
	size_t longest = 0;

	(void)unused;
	buf_adds(&text, "FROM a\nRUN x");
	while (text.size < 120000) /* 60,000 of them remain */
		buf_adds(&text, " \\\n  word");
	assert_int_equal(lower(buf_str(&text), &out, &notes, &e), 0);
	for (const char *at = buf_str(&out); *at;) {
		size_t n = strcspn(at, "\n");

		longest = n > longest ? n : longest;
		at += n + (at[n] == '\n');
	}
	assert_in_range(longest, 1, 60000);
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
	assert_int_equal(lower("FROM --platform=linux/arm64 a\nRUN --mount=type=secret,id=x y\n"
			       "RUN --mount=type=ssh,required=false y\n"
			       "RUN curl -O https://x/y-AARCH64.tar.gz\n",
			       &out, &notes, &e),
			 0);
	assert_non_null(strstr(buf_str(&notes), "Dockerfile:1: --platform is ignored"));
	assert_non_null(strstr(buf_str(&notes), "Dockerfile:2: builds have no secrets here"));
	assert_non_null(strstr(buf_str(&notes), "Dockerfile:3: builds have no SSH agent here"));
	assert_non_null(strstr(buf_str(&notes), "Dockerfile:4: warning: it names aarch64"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bases_are_found_wherever_they_are_named),
		cmocka_unit_test(test_what_is_no_dockerfile_is_refused_with_its_line),
		cmocka_unit_test(test_lowering_leaves_nothing_to_expand),
		cmocka_unit_test(test_steps_keep_the_numbers_of_their_user),
		cmocka_unit_test(
			test_wildcards_for_names_with_brackets_are_not_left_to_the_builder),
		cmocka_unit_test(test_a_stage_that_is_mounted_has_one_without_instructions),
		cmocka_unit_test(test_what_variables_make_of_a_file_has_a_limit),
		cmocka_unit_test(test_a_long_line_is_broken_where_the_builder_joins_it),
		cmocka_unit_test(test_unclosed_variables_are_refused_in_the_time_of_one_reading),
		cmocka_unit_test(test_notes_say_what_was_left_out_and_what_may_not_run),
	};

	return cmocka_run_group_tests_name("wire/dockerfile", tests, NULL, NULL);
}
