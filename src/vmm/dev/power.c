#include "vmm/dev/power.h"

#define SLEEP_ENABLE 0x20
#define KEYBOARD_RST 0xfe

const struct snap_field power_saved[] = { SNAP(1, struct power, status), SNAP_END };

static void power_acpi_read(struct bus_range *r, uint64_t offset, uint8_t *data, unsigned size)
{
	const struct power *p = container_of(r, struct power, acpi);

	for (unsigned i = 0; i < size; i++)
		data[i] = offset + i == POWER_SLEEP_STATUS - POWER_SLEEP_CONTROL ? p->status : 0;
}

static void power_acpi_write(struct bus_range *r, uint64_t offset, const uint8_t *data,
			     unsigned size)
{
	struct power *p = container_of(r, struct power, acpi);

	for (unsigned i = 0; i < size; i++) {
		uint64_t port = POWER_SLEEP_CONTROL + offset + i;

		if (port == POWER_SLEEP_CONTROL && data[i] == (SLEEP_ENABLE | POWER_SLEEP_OFF << 2))
			p->off(p, "the guest turned itself off");
		else if (port == POWER_SLEEP_STATUS)
			p->status &= (uint8_t)~data[i];
		else if (port == POWER_RESET && data[i] == POWER_RESET_VALUE)
			p->off(p, "the guest asked for a reset");
	}
}

static void power_keyboard_read(struct bus_range *r, uint64_t offset, uint8_t *data, unsigned size)
{
	(void)r;
	(void)offset;
	for (unsigned i = 0; i < size; i++)
		data[i] = 0; /* ready for a command */
}

static void power_keyboard_write(struct bus_range *r, uint64_t offset, const uint8_t *data,
				 unsigned size)
{
	struct power *p = container_of(r, struct power, keyboard);

	(void)offset;
	(void)size;
	if (data[0] == KEYBOARD_RST)
		p->off(p, "the guest asked for a reset");
}

void power_init(struct power *p, struct bus *pio, void (*off)(struct power *p, const char *why))
{
	*p = (struct power){ .acpi = { .base = POWER_SLEEP_CONTROL,
				       .size = POWER_RESET - POWER_SLEEP_CONTROL + 1,
				       .read = power_acpi_read,
				       .write = power_acpi_write },
			     .keyboard = { .base = POWER_KEYBOARD,
					   .size = 1,
					   .read = power_keyboard_read,
					   .write = power_keyboard_write },
			     .off = off };
	bus_add(pio, &p->acpi);
	bus_add(pio, &p->keyboard);
}
