/* stand_in.h - which system stands in for a public image that no registry gives.
 *
 * A stand-in is a base of ours (step_debian.c) with the packages and the configuration that the
 * official image has. Debian and Ubuntu have one release of most programs each, so the tag's
 * version decides about the base. The rule: the release that was asked for; else the next newer one
 * of the same major version, which a warning names; an older one only where the operator allows it.
 * Pure functions without I/O. */
#ifndef IMAGE_STAND_IN_H
#define IMAGE_STAND_IN_H

#include <stdbool.h>

#include "base/err.h"

struct stand_in_choice {
	const char *title;  /* "Python" */
	const char *recipe; /* the file of libexec/stand-in that makes it; NULL: the base is it */
	const char *base;   /* "debian-12" */
	bool amazon;        /* the base has the dnf front */
	bool ours;          /* no other registry is meant to have it, so no warning is due */
	bool exact;         /* it has the version that was asked for */
	char version[24];   /* that the recipe installs: "3.12", "22.11"; "" if the base is it */
	char words[64];     /* the other words of the tag, separated by blanks: "slim bookworm" */
};

/* Chooses for a full name, "docker.io/library/python:3.12-slim". Returns 1; 0 if nothing is known
 * about the repository; -1 with a clause that says why nothing can stand in: "the newest Python
 * here is 3.14".
 * @amazon_base is the base for Amazon Linux, from stand_in_scan, or NULL. @without is a base that
 * cannot be had, or NULL. */
int stand_in_choose(const char *full, const char *amazon_base, const char *without, bool older,
		    struct stand_in_choice *c, struct err *e) must_check;

/* Finds the base for Amazon Linux from the packages that a Dockerfile names: "python3.12" and
 * "java-21" are each in another one. Returns "debian-12" if it names none of them. */
const char *stand_in_scan(const char *dockerfile);

#endif
