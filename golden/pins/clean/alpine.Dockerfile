FROM registry.example:5000/team/alpine:3.20@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
RUN apk add --no-cache curl=8.9.1-r1 'bash=5.2.26-r0'
RUN apk add --virtual .deps gcc=13.2.1_git20240309-r0

FROM fedora@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
RUN dnf install -y httpd-2.4.62-2.fc40 && dnf clean all
