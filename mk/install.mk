# Installing, as a distribution would: make install DESTDIR=… PREFIX=/usr; make uninstall.

BINDIR := $(PREFIX)/bin
LIBEXECDIR := $(PREFIX)/libexec/rustycoin
MANDIR := $(PREFIX)/share/man
DOCDIR := $(PREFIX)/share/doc/rustycoin
UNITDIR := $(PREFIX)/lib/systemd/system
SYSCONFDIR := /etc/rustycoin

UNITS := $(wildcard systemd/*.service systemd/*.target systemd/*.socket)
MANS := $(wildcard man/*.[1-9])
CONFS := $(wildcard etc/*.conf)

#: make install      DESTDIR= PREFIX=/usr; configuration that is there already is kept
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(DOCDIR) $(DESTDIR)$(SYSCONFDIR) \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 755 $(TOOLS:%=$(BUILD)/bin/%) $(DESTDIR)$(BINDIR)
	install -m 755 $(DAEMONS:%=$(BUILD)/bin/%) $(DESTDIR)$(LIBEXECDIR)
	for u in $(UNITS); do \
		sed 's|@LIBEXEC@|$(LIBEXECDIR)|' $$u > $(DESTDIR)$(UNITDIR)/$${u##*/} || exit 1; \
		chmod 644 $(DESTDIR)$(UNITDIR)/$${u##*/}; \
	done
	install -m 644 systemd/rustycoin.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/rustycoin.conf
	install -m 644 systemd/rustycoin.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/rustycoin.conf
	for m in $(MANS); do \
		install -D -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} || exit 1; \
	done
	for d in $(DAEMONS); do \
		ln -sf $$d.8 $(DESTDIR)$(MANDIR)/man8/rusty-$$d.service.8 || exit 1; \
	done
	for c in $(CONFS); do \
		[ -e $(DESTDIR)$(SYSCONFDIR)/$${c##*/} ] || \
			install -m 644 $$c $(DESTDIR)$(SYSCONFDIR) || exit 1; \
	done
	install -m 644 README.md LICENSE $(DESTDIR)$(DOCDIR)

#: make uninstall    removes what install put there; configuration and data stay
uninstall:
	rm -f $(TOOLS:%=$(DESTDIR)$(BINDIR)/%) $(DAEMONS:%=$(DESTDIR)$(LIBEXECDIR)/%)
	rm -f $(patsubst systemd/%,$(DESTDIR)$(UNITDIR)/%,$(UNITS))
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/rustycoin.conf \
		$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/rustycoin.conf
	for m in $(MANS); do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done
	rm -f $(DAEMONS:%=$(DESTDIR)$(MANDIR)/man8/rusty-%.service.8)
	rm -rf $(DESTDIR)$(DOCDIR)
	-rmdir $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(SYSCONFDIR) 2>/dev/null

#: make etc          write the commented default files in etc/ from the daemons' tables
etc: all
	@BUILD=$(BUILD) $(PYTHON) mk/options.py

.PHONY: etc
