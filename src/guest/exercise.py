# What an interpreter does to be warm (exercise.h): once through what a first HTTP answer usually goes through, with nothing but
# its standard library, whenever a byte comes; it answers with one.  Failures go unseen.
import ast, collections.abc, contextvars, datetime, email.utils, functools, io, itertools, json, logging, operator, os, re, socket, struct, sys, threading, time, typing, urllib.parse, weakref
var = contextvars.ContextVar('v')
log = logging.getLogger('exercise')
def modules():
    for name in 'stringprep', 'ipaddress', 'string', 'encodings.idna':
        sys.modules.pop(name, None)
    import ipaddress, string, stringprep
    string.Template('$a').substitute(a=1)
    try: ipaddress.ip_address('127.0.0.1'); ipaddress.ip_address('localhost')
    except ValueError as error: str(error)
    'localhost'.encode('idna'); '\u00e9x'.encode('idna').decode('idna')
def classes(n):
    class Lazy:
        def __set_name__(self, owner, name): self.name = name
        def __get__(self, it, owner=None):
            if it is None: return self
            v = it.__dict__[self.name] = len(it.text)
            return v
    class Base(collections.abc.MutableMapping):
        def __init__(self, text, **more): self.text = text; self.d = {}; self.__dict__.update(more)
        def __getattr__(self, name):
            if name.startswith('x_'): return name[2:]
            raise AttributeError(name)
        def __getitem__(self, k): return self.d[k.lower()]
        def __setitem__(self, k, v): self.d[k.lower()] = v
        def __delitem__(self, k): del self.d[k.lower()]
        def __iter__(self): return iter(self.d)
        def __len__(self): return len(self.d)
    class App(Base):
        size = Lazy()
        kind: typing.Optional[int] = None
        upper = property(lambda self: self.text.upper())
        @functools.cached_property
        def cached(self): return self.text.title()
        @classmethod
        def make(cls, *a, **k): return cls(*a, **k)
        def __call__(self, env, begin):
            begin('200 OK', [('Content-Type', 'text/html; charset=utf-8'), ('Content-Length', str(len(self.text)))])
            yield self.text.encode('utf-8')
    app = App.make('hello %s %r' % (n, 'a'), extra=[1, 2.5, None, True])
    app['Key-A'] = 1; app.setdefault('b', 2); 'key-a' in app; app.get('zz'); app.pop('b'); app.update(c=3); dict(app)
    ref = weakref.ref(app); weakref.WeakKeyDictionary(); weakref.proxy(app).size; app.size; app.upper; app.cached; app.x_name
    isinstance(app, collections.abc.Mapping); issubclass(App, collections.abc.Sized); callable(app)
    operator.attrgetter('text')(app); setattr(app, 'q', 1); delattr(app, 'q'); hasattr(app, 'nope')
    return app
def text(n):
    tree = ast.parse('def f(a, b=1, *c, **d):\n    if a > b: return "%s/%s" % (a, b)\n    return f"<{a}|{b!r}>"\n')
    for node in ast.walk(tree): getattr(node, 'lineno', 0)
    space = {}
    exec(compile(ast.fix_missing_locations(tree), 'x', 'exec'), space); space['f'](1, 2); eval('1 + n', {'n': n})
    re.purge()
    found = re.compile(r'^/(?P<a>[^/]+)/(?P<n>\d+)(?:[a-z]|%d)?$' % n).match('/item/%d' % n)
    found and found.groupdict(); re.sub(r'([A-Z])', r'_\1', 'aBcD'); re.split(r',\s*', 'a, b,c'); re.findall(r'\w+', 'a b c'); re.fullmatch('a|b', 'b')
    'a%sb{}c'.format(n); '{0:>10} {1:.2f} {x}'.format(n, 1.5, x='y'); 'A,b;C'.lower().replace(';', ',').split(','); ' x '.strip().zfill(5); 'ab'.rjust(9, '-')
    'a=b; c="d"'.partition('='); 'a.b.c'.rpartition('.'); 'x' * 3 + 'y'; 'abc'[::-1]; 'a\nb\r\n'.splitlines(); 'a' in 'cab'; 'Ab'.swapcase().isascii(); 'caf\u00e9'.encode().decode('latin-1')
    bytearray(b'abc').find(b'c'); memoryview(b'abc')[1:].tobytes(); int.from_bytes(b'\1\2', 'big').to_bytes(4, 'little'); struct.unpack('!HI', struct.pack('!HI', 1, 2)); b'a,b'.split(b',')
    json.loads(json.dumps({'n': n, 'list': list(range(9)), 'text': 'caf\u00e9\n', 'f': 1.25, 'nest': {'a': [None, False]}}))
    datetime.datetime.now(datetime.timezone.utc).isoformat(); datetime.timedelta(seconds=n) * 2; email.utils.formatdate(usegmt=True); time.strftime('%a, %d %b %Y', time.gmtime())
    d = collections.OrderedDict(a=1); d.move_to_end('a'); collections.defaultdict(list)['x'].append(n); collections.deque([1], maxlen=2).append(2); collections.Counter('aab').most_common(1)
    sorted({'b': 1, 'a': 2}.items(), key=lambda kv: kv[1], reverse=True); max([3, 1], default=0); sum(i * i for i in range(5)); any(map(str.isdigit, 'a1')); list(zip([1], 'a')); dict(enumerate('ab')); {*'ab'} | {'z'} & set('az'); [*itertools.chain([1, 2], (3,))]; functools.reduce(operator.add, [1, 2], 0); divmod(7, 2); round(2.5); 2 ** 70 % 97; hash((1, 'a')); frozenset('ab') >= {'a'}
def errors():
    try:
        try: {}['a']
        except KeyError as error: raise ValueError('x') from error
        finally: len('x')
    except ValueError as error: sys.exc_info(); str(error)
    with io.StringIO() as out, threading.RLock(): out.write('a'); out.getvalue(); print('x', file=out)
    log.debug('%s', 1); log.isEnabledFor(logging.INFO);
    def gen():
        try: yield (yield 1)
        finally: pass
    g = gen(); next(g); g.send(2); g.close()
def request(n):
    a, b = socket.socketpair()
    a.settimeout(5); b.setblocking(True); b.settimeout(5)
    a.sendall(b'GET /item/%d?q=a%%20b&c=%%C3%%A9 HTTP/1.1\r\nHost: localhost:80\r\nUser-Agent: x/1.0\r\nAccept: */*\r\n\r\n' % n)
    data = io.BytesIO(); data.write(b.recv(65536)); data.seek(0)
    head, _, rest = data.getvalue().partition(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    method, target, version = lines[0].split(' ', 2)
    headers = [(k.strip().upper(), v.strip()) for k, v in (l.split(':', 1) for l in lines[1:])]
    env = {'REQUEST_METHOD': method, 'wsgi.input': io.BytesIO(rest), 'wsgi.errors': sys.stderr, 'wsgi.version': (1, 0)}
    for k, v in headers: env['HTTP_' + k.replace('-', '_')] = v
    parts = urllib.parse.urlsplit('http://localhost' + target)
    env.update(PATH_INFO=urllib.parse.unquote(parts.path), args=urllib.parse.parse_qsl(parts.query), q=urllib.parse.quote('/a b\u00e9'), e=urllib.parse.urlencode({'a': 1}), j=urllib.parse.urljoin('http://a/b', 'c'))
    token = var.set(env); contextvars.copy_context().run(var.get)
    sent = []
    body = b''.join(classes(n)(env, lambda status, fields: sent.extend([status, *fields])))
    reply = 'HTTP/1.1 %s\r\nServer: x\r\n%s\r\n' % (sent[0], ''.join('%s: %s\r\n' % f for f in sent[1:]))
    b.sendall(reply.encode('latin-1') + body); a.recv(65536)
    b.shutdown(socket.SHUT_RDWR); b.close(); a.recv(1); a.close()
    var.reset(token)
def once(n):
    for part in modules, functools.partial(text, n), errors, functools.partial(request, n):
        try: part()
        except Exception: pass
once(0); once(1)
os.write(1, b'.')
while os.read(0, 1):
    once(2); once(3)
    os.write(1, b'.')
os._exit(0)
