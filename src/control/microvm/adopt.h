/* adopt.h - adoption: control finds the machines that ran before it started, compares them with the
 * rows, and takes them over or ends them.
 *
 * Afterwards each microVM is in the state that is true.  adopt_decide, a pure table, says what is
 * done about it, from its row, from its machine and from what is on disk. */
#ifndef CONTROL_MICROVM_ADOPT_H
#define CONTROL_MICROVM_ADOPT_H

#include "control/control.h"
#include "control/model/model.h"

enum adopt_found {
	FOUND_NOTHING,
	FOUND_RUNNING,
	FOUND_PAUSED,
	FOUND_NUM,
};

enum adopt_do {
	ADOPT_KEEP,     /* nothing is to be done */
	ADOPT_CONTINUE, /* it was paused for a save that will not be made */
	ADOPT_IDENTIFY, /* tell the guest once more who it is */
	ADOPT_RESTART,  /* end its machine and start it anew from the image */
	ADOPT_SAVE,     /* go on with the suspend */
	ADOPT_PUBLISH,  /* the machine saved and ended while no control ran */
	ADOPT_SAVED,    /* the save was published, and only the row is missing */
	ADOPT_LOST,     /* TERMINATED: its machine is gone */
	ADOPT_END,      /* go on with the end */
	ADOPT_NUM,
};

struct adopt_facts {
	enum vm_state state;
	enum adopt_found found;
	bool run_hook; /* the image has a /run hook, which may have been called */
	bool draft;    /* there is a complete draft of the next checkpoint */
	bool saved;    /* the next checkpoint is published */
};
enum adopt_do adopt_decide(const struct adopt_facts *f);

/* Asks priv for its machines, adopts them, and then calls `done`.  ctl->adopted is true from then
 * on. */
void adopt_start(struct control *ctl, void (*done)(struct control *ctl));

#endif
