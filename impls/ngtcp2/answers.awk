# Reads what gtlsclient tells of a connection and prints a line for each request whose stream was closed:
#
#   path status length code
#
# length is what the server declared, or -; code is the stream's error code, 256 for none (H3_NO_ERROR).
# All that is not told packet by packet also goes to the file `rest`.

/^I[0-9]+ |^(Sent|Received) packet|^Set timer|^Timer has/ { next }
{ print >>rest }

$1 == "http:" && $2 == "stream"                 { stream = $3 }
$1 == "[:path:"                                 { path[stream] = $2 }
$1 == "http:" && $4 == "[:status:"              { status[$3] = $5; length_of[$3] = "-" }
$1 == "http:" && $4 == "[content-length:"       { length_of[$3] = $5 }
$1 == "HTTP" && $4 == "closed" {
    # Here the stream is told in decimal.
    id = sprintf("0x%x", $3)
    answer = path[id] " " (id in status ? status[id] " " length_of[id] : "- -") " " $NF
    gsub("]", "", answer)
    print answer
}
