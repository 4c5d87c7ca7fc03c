# Long code without functions: its jumps settle in many passes.
with a:
    b
x = a and b or c
a.b.c = d
a.b.c = d
for i in a:
    b
with a:
    b
while a:
    b = c
    if d:
        break
x = [a if b else c]
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
if a:
    b
assert a, b
for i in a:
    b
for i in a:
    b
for i in a:
    b
for i in a:
    b
if a:
    b
while a:
    b = c
    if d:
        break
for i in a:
    b
try:
    a
except E:
    b
while a:
    b = c
    if d:
        break
for i in a:
    b
assert a, b
if a:
    b
assert a, b
for i in a:
    b
if a:
    b()
else:
    c
try:
    a
except E:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
if a:
    b()
else:
    c
with a:
    b
x = a and b or c
for i in a:
    b
x = a and b or c
if a:
    b
if a:
    b
assert a, b
x = [a if b else c]
with a:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = a and b or c
for i in a:
    b
if a:
    b()
else:
    c
x = a and b or c
x = [a if b else c]
x = [a if b else c]
x = a and b or c
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
try:
    a
except E:
    b
assert a, b
while a:
    b = c
    if d:
        break
x = [a if b else c]
for i in a:
    b
try:
    a
except E:
    b
try:
    a
except E:
    b
try:
    a
except E:
    b
if a:
    b()
else:
    c
try:
    a
except E:
    b
for i in a:
    b
if a:
    b()
else:
    c
if a:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
try:
    a
except E:
    b
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
for i in a:
    b
a.b.c = d
x = a and b or c
while a:
    b = c
    if d:
        break
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
a.b.c = d
a.b.c = d
if a:
    b()
else:
    c
assert a, b
for i in a:
    b
assert a, b
for i in a:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = [a if b else c]
x = a and b or c
x = a and b or c
try:
    a
except E:
    b
assert a, b
if a:
    b()
else:
    c
x = [a if b else c]
a.b.c = d
a.b.c = d
with a:
    b
if a:
    b()
else:
    c
try:
    a
except E:
    b
if a:
    b()
else:
    c
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
try:
    a
except E:
    b
x = [a if b else c]
x = a and b or c
try:
    a
except E:
    b
a.b.c = d
a.b.c = d
a.b.c = d
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = a and b or c
with a:
    b
x = a and b or c
x = [a if b else c]
with a:
    b
a.b.c = d
a.b.c = d
a.b.c = d
assert a, b
for i in a:
    b
with a:
    b
x = [a if b else c]
x = [a if b else c]
while a:
    b = c
    if d:
        break
x = a and b or c
if a:
    b()
else:
    c
for i in a:
    b
try:
    a
except E:
    b
if a:
    b
for i in a:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
while a:
    b = c
    if d:
        break
a.b.c = d
a.b.c = d
x = a and b or c
for i in a:
    b
for i in a:
    b
with a:
    b
x = a and b or c
x = [a if b else c]
assert a, b
with a:
    b
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
while a:
    b = c
    if d:
        break
if a:
    b
assert a, b
assert a, b
x = [a if b else c]
if a:
    b
if a:
    b()
else:
    c
x = [a if b else c]
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
with a:
    b
assert a, b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = a and b or c
for i in a:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
while a:
    b = c
    if d:
        break
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
with a:
    b
assert a, b
with a:
    b
with a:
    b
assert a, b
while a:
    b = c
    if d:
        break
try:
    a
except E:
    b
assert a, b
for i in a:
    b
try:
    a
except E:
    b
try:
    a
except E:
    b
if a:
    b
try:
    a
except E:
    b
try:
    a
except E:
    b
x = a and b or c
if a:
    b()
else:
    c
while a:
    b = c
    if d:
        break
if a:
    b
assert a, b
x = a and b or c
while a:
    b = c
    if d:
        break
if a:
    b
x = a and b or c
for i in a:
    b
try:
    a
except E:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = [a if b else c]
if a:
    b
try:
    a
except E:
    b
x = [a if b else c]
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = [a if b else c]
x = a and b or c
with a:
    b
if a:
    b
try:
    a
except E:
    b
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
if a:
    b
assert a, b
assert a, b
assert a, b
try:
    a
except E:
    b
if a:
    b()
else:
    c
if a:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
a.b.c = d
a.b.c = d
a.b.c = d
try:
    a
except E:
    b
for i in a:
    b
x = [a if b else c]
with a:
    b
assert a, b
if a:
    b()
else:
    c
try:
    a
except E:
    b
if a:
    b()
else:
    c
with a:
    b
if a:
    b()
else:
    c
x = a and b or c
if a:
    b()
else:
    c
while a:
    b = c
    if d:
        break
for i in a:
    b
x = a and b or c
for i in a:
    b
assert a, b
if a:
    b()
else:
    c
if a:
    b
a.b.c = d
if a:
    b()
else:
    c
if a:
    b
assert a, b
if a:
    b
if a:
    b()
else:
    c
a.b.c = d
a.b.c = d
a.b.c = d
x = a and b or c
a.b.c = d
a.b.c = d
a.b.c = d
if a:
    b
try:
    a
except E:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = [a if b else c]
try:
    a
except E:
    b
x = [a if b else c]
try:
    a
except E:
    b
x = [a if b else c]
while a:
    b = c
    if d:
        break
x = a and b or c
for i in a:
    b
if a:
    b
if a:
    b()
else:
    c
if a:
    b()
else:
    c
x = [a if b else c]
while a:
    b = c
    if d:
        break
x = a and b or c
with a:
    b
x = [a if b else c]
x = [a if b else c]
if a:
    b
assert a, b
if a:
    b()
else:
    c
a.b.c = d
while a:
    b = c
    if d:
        break
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
with a:
    b
try:
    a
except E:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
assert a, b
for i in a:
    b
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
with a:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
for i in a:
    b
if a:
    b()
else:
    c
if a:
    b
for i in a:
    b
while a:
    b = c
    if d:
        break
x = a and b or c
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
if a:
    b
x = a and b or c
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
with a:
    b
x = a and b or c
while a:
    b = c
    if d:
        break
a.b.c = d
a.b.c = d
if a:
    b()
else:
    c
assert a, b
for i in a:
    b
if a:
    b()
else:
    c
for i in a:
    b
a.b.c = d
a.b.c = d
a.b.c = d
if a:
    b
if a:
    b
with a:
    b
if a:
    b
a.b.c = d
x = a and b or c
if a:
    b()
else:
    c
try:
    a
except E:
    b
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
for i in a:
    b
while a:
    b = c
    if d:
        break
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
a.b.c = d
a.b.c = d
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
with a:
    b
for i in a:
    b
with a:
    b
if a:
    b()
else:
    c
for i in a:
    b
for i in a:
    b
if a:
    b
try:
    a
except E:
    b
x = a and b or c
x = a and b or c
for i in a:
    b
if a:
    b
if a:
    b()
else:
    c
while a:
    b = c
    if d:
        break
if a:
    b()
else:
    c
if a:
    b
a.b.c = d
a.b.c = d
x = a and b or c
if a:
    b
try:
    a
except E:
    b
x = a and b or c
a.b.c = d
a.b.c = d
a.b.c = d
if a:
    b
for i in a:
    b
while a:
    b = c
    if d:
        break
if a:
    b()
else:
    c
if a:
    b()
else:
    c
x = [a if b else c]
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
while a:
    b = c
    if d:
        break
x = a and b or c
x = a and b or c
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = [a if b else c]
if a:
    b
x = a and b or c
x = [a if b else c]
for i in a:
    b
x = a and b or c
try:
    a
except E:
    b
with a:
    b
for i in a:
    b
x = a and b or c
if a:
    b()
else:
    c
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
try:
    a
except E:
    b
x = a and b or c
if a:
    b
try:
    a
except E:
    b
if a:
    b()
else:
    c
assert a, b
assert a, b
try:
    a
except E:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = a and b or c
a.b.c = d
a.b.c = d
if a:
    b
try:
    a
except E:
    b
assert a, b
with a:
    b
try:
    a
except E:
    b
for i in a:
    b
x = a and b or c
try:
    a
except E:
    b
if a:
    b()
else:
    c
if a:
    b
if a:
    b
with a:
    b
try:
    a
except E:
    b
while a:
    b = c
    if d:
        break
for i in a:
    b
while a:
    b = c
    if d:
        break
with a:
    b
for i in a:
    b
if a:
    b()
else:
    c
x = [a if b else c]
a.b.c = d
a.b.c = d
x = a and b or c
assert a, b
with a:
    b
x = a and b or c
x = a and b or c
for i in a:
    b
if a:
    b
x = [a if b else c]
x = a and b or c
if a:
    b()
else:
    c
assert a, b
while a:
    b = c
    if d:
        break
if a:
    b
x = a and b or c
assert a, b
while a:
    b = c
    if d:
        break
try:
    a
except E:
    b
try:
    a
except E:
    b
while a:
    b = c
    if d:
        break
with a:
    b
a.b.c = d
a.b.c = d
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
assert a, b
for i in a:
    b
while a:
    b = c
    if d:
        break
assert a, b
if a:
    b()
else:
    c
assert a, b
try:
    a
except E:
    b
with a:
    b
a.b.c = d
a.b.c = d
a.b.c = d
a.b.c = d
x = [a if b else c]
while a:
    b = c
    if d:
        break
if a:
    b
x = [a if b else c]
assert a, b
with a:
    b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
x = [a if b else c]
x = [a if b else c]
x = [a if b else c]
x = a and b or c
x = [a if b else c]
assert a, b
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
a.b.c = d
try:
    a
except E:
    b
if a:
    b()
else:
    c
if a:
    b()
else:
    c
if a and b or not c:
    d(e, f, g, h)
elif i:
    j
try:
    a
except E:
    b
try:
    a
except E:
    b
if a:
    b()
else:
    c
if a:
    b()
else:
    c
with a:
    b
x = a and b or c
if a:
    b()
else:
    c
with a:
    b
