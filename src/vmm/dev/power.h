/* power.h - the ways in which a guest turns itself off: ACPI's sleep control and reset registers,
 * and the reset line of a keyboard controller without a keyboard. */
#ifndef VMM_DEV_POWER_H
#define VMM_DEV_POWER_H

#include "vmm/bus.h"
#include "vmm/snap/record.h"

#define POWER_SLEEP_CONTROL 0x600
#define POWER_SLEEP_STATUS  0x601
#define POWER_RESET         0x602
#define POWER_KEYBOARD      0x64
#define POWER_SLEEP_OFF     5 /* SLP_TYP of S5 in the tables */
#define POWER_RESET_VALUE   1

struct power {
	struct bus_range acpi, keyboard;
	void (*off)(struct power *p, const char *why); /* under the devices' lock */
	uint8_t status;                                /* saved */
};

extern const struct snap_field power_saved[];

void power_init(struct power *p, struct bus *pio, void (*off)(struct power *p, const char *why));

#endif
