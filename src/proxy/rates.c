#include "proxy/rates.h"

#define RATES_MIX 0x9e3779b97f4a7c15 /* so that neighbours are in different sets */

bool rates_pass(struct rates *r, uint64_t address, unsigned per_second, int64_t now_us)
{
	const int64_t second = 1000000;
	size_t set = (size_t)((address * RATES_MIX) >> 32) % RATES_SETS, at = 0;
	int64_t due;

	if (!per_second)
		return true;
	for (size_t i = 0; i < RATES_WAYS; i++) {
		if (r->rows[set][i].due_us && r->rows[set][i].address == address) {
			at = i;
			break;
		}
		if (r->rows[set][i].due_us < r->rows[set][at].due_us)
			at = i;
	}
	due = r->rows[set][at].address == address ? r->rows[set][at].due_us : 0;
	due = (due > now_us ? due : now_us) + second / (int64_t)per_second;
	if (due > now_us + second)
		return false;
	r->rows[set][at].address = address;
	r->rows[set][at].due_us = due;
	return true;
}
