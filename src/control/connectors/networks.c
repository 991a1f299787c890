#include "control/connectors/networks.h"

#include <string.h>

/* Is @word one of the comma-separated ones? */
static bool networks_has(const char *list, const char *word)
{
	size_t size = strlen(word);

	while (*list) {
		size_t skip = strspn(list, ", "), n = strcspn(list + skip, ", ");

		if (n == size && !memcmp(list + skip, word, n))
			return true;
		list += skip + n;
	}
	return false;
}

int networks_named(const struct conf *conf, const json_t *configuration, const char **code,
		   struct err *e)
{
	const struct {
		const char *member, *key, *code, *named, *what;
	} lists[] = {
		{ "SubnetIds", "subnets", "InvalidSubnet", conf->subnets, "subnet" },
		{ "SecurityGroupIds", "security_groups", "InvalidSecurityGroup",
		  conf->security_groups, "security group" },
	};
	const json_t *vpc = json_object_get(configuration, "VpcEgressConfiguration");

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const json_t *id;
		size_t n;

		json_array_foreach(json_object_get(vpc, lists[i].member), n, id)
		{
			if (networks_has(lists[i].named, json_string_value(id)))
				continue;
			*code = lists[i].code;
			return err_set(e, ERR_INVALID,
				       "The %s '%s' does not exist: the server's configuration "
				       "names those that do ([network] %s).",
				       lists[i].what, json_string_value(id), lists[i].key);
		}
	}
	*code = NULL;
	return 0;
}
