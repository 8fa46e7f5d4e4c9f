"""A stand-in for the vendor's API, DescribeTelCdr alone, as faithful as what is public of it.

signature       TC3-HMAC-SHA256, checked as the vendor checks it
parameters      what a request may ask, refused with the vendor's codes
elements        a simulated session as the API tells of it
store           all sessions on disk, by their start, so that a page costs next to nothing
faults          what goes wrong on purpose, one request or a share of them
server          the endpoint
centre          a whole contact centre for `tccc up`: its API, and its pushes, some withheld
"""
