# SPDX-License-Identifier: GPL-2.0
#
# Everything is built below $(BUILD); the source tree stays clean.

BUILD	?= build
PREFIX	?= /usr/local
LIBDIR	?= $(PREFIX)/lib
DESTDIR	?=
KDIR	?= $(lastword $(shell printf '%s\n' /usr/src/linux-headers-*-amd64 | sort -V))
CFLAGS	?= -O2 -g

VERSION	:= 0.1.0

# The kernel that KDIR is for; a build tree knows it only once configured.
KVER	:= $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
		$(KDIR)/include/generated/utsrelease.h 2>/dev/null)

# Never empty, or make clean would begin at the root directory.
override BUILD := $(abspath $(or $(BUILD),build))
MODULE	:= $(BUILD)/module-$(KVER)/ipsec_token.ko

CPPFLAGS += -Iinclude -Iinclude/uapi -D_GNU_SOURCE
WARN	:= -Wall -Wextra -Werror
compile	= $(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP

all: module lib tools selftests

help:
	@echo 'make              module, library, command and tests, as any user'
	@echo 'make module|lib|tools|selftests'
	@echo '                  one of them; KDIR= names the kernel to build for'
	@echo 'make install      DESTDIR= PREFIX=/usr/local LIBDIR=PREFIX/lib'
	@echo 'make demo         watch it work in a guest'
	@echo 'make check        all tests in guests; TESTS="a b" SMP=2 MEM=1G GUESTS=2'
	@echo '                  CONNECTIONS=100000 to have that many in latch_storm'
	@echo 'make check-long   those tests that take too long for that'
	@echo 'make check-debug  the same on a kernel full of checks, built first: FLAVOUR=kcsan'
	@echo 'make check-debug-ci  those of them that continuous integration has the time for'
	@echo 'make check-coverage  all tests on a kernel that counts which branches they take'
	@echo 'make check-race   all at once, in disorder, on that kernel; DURATION=600 seconds'
	@echo "make check-net    the kernel's own network tests without the module, with it, and with"
	@echo '                  tokens asked for: the same must come of them'
	@echo 'make fuzz-kernel  requests and socket options at random, there; DURATION=600 SEED=number'
	@echo 'make fuzz         parsers in user space against made up inputs; DURATION=600 seconds'
	@echo 'make bench        count instructions in a guest, into build/bench.json; PARTS=latch'
	@echo 'make bench-scale  the same for up to 100,000 SAs and connections and 10,000 processes,'
	@echo '                  into build/bench-scale.json and .png; MEM=4G'
	@echo 'make shell        a shell in the same guest, module loaded'
	@echo 'make lint         checkpatch, sparse, W=1, kernel-doc, coccinelle, cppcheck, clang, ...'
	@echo 'make clean        remove build products, but not the downloaded kernel'
	@echo 'make distclean    remove everything in build/'
	@echo
	@echo 'check, demo, bench, shell and lint first install missing Debian packages (as root).'
	@echo 'They take KERNEL=bzImage GUESTMODULES=lib/modules to boot another kernel, whose'
	@echo 'build tree is KDIR, and LOG=dir to let several runs go on at once.'

# ------------------------------------------------------------------ module
# src= separates the sources from M=, where kbuild leaves its products, so that
# modules for several kernels do not get into each other's way.

KBUILD	= $(MAKE) -C $(KDIR) M=$(dir $(MODULE)) src=$(CURDIR) W=1 \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules

module:
	$(if $(KVER),,$(error no kernel headers found at KDIR=$(KDIR)))
	@mkdir -p $(dir $(MODULE))kernel
	@touch $(dir $(MODULE))Makefile
	+$(KBUILD)

# ----------------------------------------------------------------- library

LIB	:= $(BUILD)/lib/libipsec-token
SONAME	:= libipsec-token.so.0
lib_obj	:= $(patsubst %.c,$(BUILD)/%.o,$(wildcard lib/*.c))

lib: $(LIB).a $(BUILD)/lib/$(SONAME) examples

$(BUILD)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(compile) -fPIC -c -o $@ $<

$(LIB).a: $(lib_obj)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/lib/$(SONAME): $(lib_obj) lib/libipsec-token.map
	$(CC) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--no-undefined \
		-Wl,--version-script=lib/libipsec-token.map -o $@ $(lib_obj) -lmnl
	ln -sf $(SONAME) $(LIB).so

# What the manual tells readers to copy from must compile.
example_bin := $(patsubst %.c,$(BUILD)/%,$(wildcard lib/examples/*.c))

examples: $(example_bin)

$(BUILD)/lib/examples/%: lib/examples/%.c $(LIB).a
	@mkdir -p $(@D)
	$(compile) $(LDFLAGS) -o $@ $< $(LIB).a -lmnl -lpthread

# ----------------------------------------------------------------- command

tool_obj := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tools/credential%,$(wildcard tools/*.c)))

tools: $(BUILD)/tools/ipsec-token $(BUILD)/tools/tokend/ipsec-tokend \
	$(BUILD)/tools/libexec/updown-libreswan

$(BUILD)/tools/%.o: tools/%.c Makefile
	@mkdir -p $(@D)
	$(compile) -DIPSEC_TOKEN_VERSION='"$(VERSION)"' -c -o $@ $<

# It makes identities by the very code of the agent.
$(BUILD)/tools/ipsec-token: $(tool_obj) $(BUILD)/tools/tokend/libtokend.a $(LIB).a
	$(CC) $(LDFLAGS) -o $@ $^ -lmnl -lcrypto

# -------------------------------------------------------------------- agent
# All but its main() is an archive, for the tests.

tokend_obj := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/tokend/*.c tools/credential*.c))
TOKEND	:= $(BUILD)/tools/tokend/libtokend.a

$(BUILD)/tools/tokend/ipsec-tokend: $(tokend_obj) $(LIB).a
	$(CC) $(LDFLAGS) -o $@ $^ -lmnl -lcrypto

$(TOKEND): $(filter-out %/main.o,$(tokend_obj))
	rm -f $@
	$(AR) rcs $@ $^

# What a keying daemon runs to tell the agent something.
$(BUILD)/tools/libexec/updown-libreswan: $(BUILD)/tools/libexec/updown-libreswan.o
	$(CC) $(LDFLAGS) -o $@ $^

# ------------------------------------------------------------------- tests
# Each selftests/*.c is one test, each selftests/helpers/*.c one program that
# scripts call. abi32.c is built for both word sizes.

KSELFTEST := $(BUILD)/kselftest
test_bin := $(patsubst %.c,$(BUILD)/%,$(wildcard selftests/*.c selftests/helpers/*.c))
test_bin += $(patsubst %.c,$(BUILD)/%_m32,$(wildcard selftests/abi32.c))

selftests: $(test_bin)

TEST_LIBS = $(LIB).a -Wl,--as-needed -lmnl -luring -lpthread
$(addprefix $(BUILD)/selftests/helpers/,netns client): TEST_LIBS := -static
agent_tests := $(addprefix $(BUILD)/selftests/,tokend_unit tokend_table tokend_libreswan_unit \
	tokend_requests tokend_choice tokend_initiation \
	identity_equal known_file name_unit helpers/bench_identities)
$(agent_tests): $(TOKEND)
$(agent_tests): TEST_LIBS = $(TOKEND) $(LIB).a -lmnl -lcrypto -lpthread

$(KSELFTEST)/kselftest.h: selftests/qemu/kselftest.sh
	selftests/qemu/kselftest.sh $(KSELFTEST)

# -isystem: the kernel's headers are not written for -Wextra.
$(BUILD)/selftests/%: selftests/%.c $(LIB).a $(KSELFTEST)/kselftest.h
	@mkdir -p $(@D)
	$(compile) -isystem $(KSELFTEST) $(LDFLAGS) -o $@ $< $(TEST_LIBS)

# Only the kernel's ABI: there is no 32-bit libmnl to link with.
$(BUILD)/selftests/%_m32: selftests/%.c $(KSELFTEST)/kselftest.h
	@mkdir -p $(@D)
	$(compile) -m32 -isystem $(KSELFTEST) $(LDFLAGS) -o $@ $<

# What throws requests and socket options at the module, in make check-debug.
$(BUILD)/selftests/fuzz/kernel: $(wildcard selftests/fuzz/kernel/*.[ch]) \
		selftests/helpers/hosts.h $(LIB).a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) $(LDFLAGS) -o $@ $(filter %.c %.a,$^) \
		-lmnl -lyaml -lpthread

# Preloaded it makes programs that know nothing of tokens ask for them.
$(BUILD)/selftests/net/opt_in.so: selftests/net/opt_in.c include/uapi/linux/ipsec_token.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -shared -fPIC $(LDFLAGS) -o $@ $< -ldl

# ------------------------------------------------------------------- guest

export TOP := $(CURDIR)
export BUILD MODULE KVER KERNEL GUESTMODULES SMP MEM LOG GUESTS LONG
export KDIR FLAVOUR PATIENCE DURATION CONNECTIONS SEED PARTS

packages:
	@selftests/qemu/packages.sh

# KDIR may only exist once the packages are there, so make starts over.
check demo bench bench-scale shell: packages
	+@$(MAKE) --no-print-directory -s all
	@$(MAKE) --no-print-directory run-$@

# The module with which selftests/fault.sh makes allocations and messages fail.
fail: module
	@mkdir -p $(dir $(MODULE))fail
	@touch $(dir $(MODULE))fail/Makefile
	+@$(MAKE) -s -C $(KDIR) M=$(dir $(MODULE))fail src=$(CURDIR)/selftests/qemu/fail W=1 modules

# Under emulation these kernels are several times slower.
check-debug: packages
	+@dir=$$(selftests/qemu/debug-kernel.sh $(or $(FLAVOUR),kasan)) && \
	$(MAKE) --no-print-directory -s fail $(BUILD)/selftests/fuzz/kernel KDIR=$$dir/build && \
	$(MAKE) --no-print-directory check FLAVOUR=$(or $(FLAVOUR),kasan) \
		KDIR=$$dir/build KERNEL=$$dir/bzImage GUESTMODULES=$$dir/lib/modules \
		LOG=$(or $(LOG),$(BUILD)/log-$(or $(FLAVOUR),kasan)) \
		MEM=$(or $(MEM),2G) PATIENCE=$(or $(PATIENCE),6) LONG=$(or $(LONG),all)

# A branch that no test takes is named in selftests/coverage.named, with the reason.
check-coverage:
	+@status=0; log=$(or $(LOG),$(BUILD)/log-gcov); \
	$(MAKE) --no-print-directory check-debug FLAVOUR=gcov LOG="$$log" MEM=$(or $(MEM),1G) \
		PATIENCE=$(or $(PATIENCE),2) || status=$$?; \
	MODULE=$$(ls -d $(BUILD)/module-*-gcov)/ipsec_token.ko selftests/coverage.sh "$$log" && \
	exit $$status

check-net: packages $(BUILD)/selftests/net/opt_in.so
	@selftests/net/build.sh $(BUILD)/net-selftests
	+@$(MAKE) --no-print-directory check LIST=selftests/net/tests.list \
		LOG=$(or $(LOG),$(BUILD)/log-net)

check-debug-ci:
	+@$(MAKE) --no-print-directory check-debug \
		TESTS="$$(sed -n 's/^\([^#\t ]*\)[^#]*[ \t]ci\b.*/\1/p' selftests/tests.list | xargs)"

# One test as long as one likes.
check-race: long = race
fuzz-kernel: long = fuzz_kernel
check-race fuzz-kernel:
	+@duration=$(or $(DURATION),600) && \
	$(MAKE) --no-print-directory check-debug TESTS=$(long) DURATION=$$duration \
		PATIENCE=$$((duration / 20 + 6))

# The test of this name as long as one likes.
fuzz: packages
	+@$(MAKE) --no-print-directory -s $(LIB).a
	@DURATION=$(or $(DURATION),600) bash selftests/fuzz.sh

check-long:
	+@$(MAKE) --no-print-directory check LONG=only LOG=$(or $(LOG),$(BUILD)/log-long)

run-check:
	@selftests/qemu/check.sh $(TESTS)

run-demo run-bench run-shell: run-%:
	@selftests/qemu/boot.sh $*

# The picture is of use above all where a curve is not as it should be.
run-bench-scale:
	@selftests/bench_scale.sh plot
	@status=0; LOG=$(or $(LOG),$(BUILD)/log-bench-scale) \
		selftests/qemu/boot.sh bench-scale || status=$$?; \
	selftests/bench_scale.sh plot $(BUILD)/bench-scale && exit $$status

lint: packages
	+@$(MAKE) --no-print-directory -s $(KSELFTEST)/kselftest.h
	@KDIR=$(KDIR) selftests/lint.sh

# ----------------------------------------------------------------- install

man	:= $(wildcard Documentation/man/*.[1-8])
share	:= $(DESTDIR)$(PREFIX)/share
put	= install -D -m

install: install-module install-user
	$(if $(DESTDIR),,depmod $(KVER) && ldconfig)

install-module: module
	$(put) 644 $(MODULE) $(DESTDIR)/lib/modules/$(KVER)/extra/ipsec_token.ko

# Without the module: packages of distributions have DKMS build it.
install-user: lib tools
	$(put) 644 -t $(DESTDIR)$(PREFIX)/include/linux include/uapi/linux/*.h
	$(put) 644 -t $(DESTDIR)$(PREFIX)/include/ipsec include/ipsec/*.h
	$(put) 755 -t $(DESTDIR)$(LIBDIR) $(BUILD)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libipsec-token.so
	$(put) 644 -t $(DESTDIR)$(LIBDIR) $(LIB).a
	$(put) 644 lib/ipsec-token.pc.in $(DESTDIR)$(LIBDIR)/pkgconfig/ipsec-token.pc
	sed -i -e 's,@PREFIX@,$(PREFIX),' -e 's,@LIBDIR@,$(LIBDIR),' \
		-e 's,@INCLUDEDIR@,$(PREFIX)/include,' -e 's,@VERSION@,$(VERSION),' \
		$(DESTDIR)$(LIBDIR)/pkgconfig/ipsec-token.pc
	$(put) 755 -t $(DESTDIR)$(PREFIX)/sbin $(BUILD)/tools/ipsec-token \
		$(BUILD)/tools/tokend/ipsec-tokend
	$(put) 755 -t $(DESTDIR)$(PREFIX)/libexec/ipsec-token \
		$(BUILD)/tools/libexec/updown-libreswan
	$(put) 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system tools/tokend/ipsec-tokend.service
	sed -i -e 's,/usr/local/sbin,$(PREFIX)/sbin,' \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/ipsec-tokend.service
	$(put) 644 tools/ipsec-token.bash-completion \
		$(share)/bash-completion/completions/ipsec-token
	$(put) 644 -t $(share)/ipsec-token Documentation/netlink/specs/*.yaml
	$(foreach m,$(man),$(put) 644 -t $(share)/man/man$(subst .,,$(suffix $(m))) $(m) &&) :
	sed -i -e 's,/usr/local/,$(PREFIX)/,' $(share)/man/man8/ipsec-tokend.8

# The downloaded kernel and headers are kept: they are no product of ours.
clean:
	rm -rf $(BUILD)/module-* $(BUILD)/lib $(BUILD)/tools $(BUILD)/selftests \
		$(BUILD)/log $(BUILD)/bench.json $(BUILD)/bench-scale.json $(BUILD)/bench-scale.png

distclean:
	rm -rf $(BUILD)

-include $(wildcard $(foreach d,lib lib/examples tools tools/tokend tools/libexec selftests \
	selftests/helpers,$(BUILD)/$d/*.d))

.PHONY: all help module fail lib examples tools selftests packages check check-long check-net \
	check-debug check-debug-ci check-race fuzz fuzz-kernel demo bench bench-scale \
	shell run-check run-demo run-bench run-bench-scale run-shell lint install \
	install-module install-user clean distclean
.DELETE_ON_ERROR:
