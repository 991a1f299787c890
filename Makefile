# Words for people; Meson does the work.
all:
	tools/deps run build
	[ -f build/build.ninja ] || meson setup build
	ninja -C build
check:
	./check
install:
	tools/install
.PHONY: all check install
