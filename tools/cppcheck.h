/* What cppcheck must know of libraries whose headers it does not read. */
#define json_array_foreach(array, i, value) for (i = 0; (value = json_array_get(array, i)); i++)
#define json_object_foreach(object, key, value) \
	for (key = json_object_first(object); (value = json_object_get(object, key)); key = json_object_after(object, key))
#define json_object_foreach_safe(object, next, key, value) json_object_foreach (object, key, value)
