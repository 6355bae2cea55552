/** AJP13 (ajpv13a, the protocol reference of the Tomcat connectors): numbers under the names of its headers. */

/** What a packet to the container begins with, and one to the web server ("AB"). */
export const AJP_TO_CONTAINER = 0x1234;
export const AJP_TO_SERVER = 0x4142;
/** Those two bytes, and the length of what follows. */
export const AJP_HEADER_LEN = 4;
/** Whole packets, header included: what both sides take unless they are told otherwise, and the most they can be told. */
export const AJP_PACKET_SIZE = 8192;
export const AJP_MAX_PACKET_SIZE = 65536;
/** Beside a body's bytes: header and length to the container; header, type, length and NUL to the web server. */
export const AJP_BODY_OVERHEAD: number = AJP_HEADER_LEN + 2;
export const AJP_CHUNK_OVERHEAD: number = AJP_HEADER_LEN + 4;
/** The most that GET_BODY_CHUNK can ask for. */
export const AJP_MAX_REQUESTED = 0xffff;

export const JK_AJP13_FORWARD_REQUEST = 2;
export const JK_AJP13_SEND_BODY_CHUNK = 3;
export const JK_AJP13_SEND_HEADERS = 4;
export const JK_AJP13_END_RESPONSE = 5;
export const JK_AJP13_GET_BODY_CHUNK = 6;
export const JK_AJP13_SHUTDOWN = 7;
export const JK_AJP13_PING = 8;
export const JK_AJP13_CPONG_REPLY = 9;
export const JK_AJP13_CPING_REQUEST = 10;

/** The length of a string that is null: neither bytes nor a NUL follow. */
export const NULL_STRING = 0xffff;
/** The high byte of a header's name that is a code. */
export const SC_CODED = 0xa0;
/** The method is in the attribute SC_A_STORED_METHOD. */
export const SC_M_JK_STORED = 0xff;

export const SC_A_CONTEXT = 0x01;
export const SC_A_SERVLET_PATH = 0x02;
export const SC_A_REMOTE_USER = 0x03;
export const SC_A_AUTH_TYPE = 0x04;
export const SC_A_QUERY_STRING = 0x05;
export const SC_A_JVM_ROUTE = 0x06;
export const SC_A_SSL_CERT = 0x07;
export const SC_A_SSL_CIPHER = 0x08;
export const SC_A_SSL_SESSION = 0x09;
export const SC_A_REQ_ATTRIBUTE = 0x0a;
export const SC_A_SSL_KEY_SIZE = 0x0b;
export const SC_A_SECRET = 0x0c;
export const SC_A_STORED_METHOD = 0x0d;
export const SC_A_ARE_DONE = 0xff;
