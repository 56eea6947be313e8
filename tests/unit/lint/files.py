"""Files that look like makers' and are our own: good ones, bad ones, templates."""

YEALINK_GOOD = b"""#!version:1.0.0.1
account.1.enable = 1
account.1.user_name = 4711
account.1.auth_name = 4711
account.1.password = vK3-mQ9.tRw8
account.1.sip_server.1.address = sip.example.com
account.1.sip_server.1.transport_type = 2
account.1.srtp_encryption = 2
static.auto_provision.server.url = https://prov.example.com/y/
static.auto_provision.pnp_enable = 0
static.security.trust_certificates = 1
static.security.cn_validation = 1
static.security.ca_cert = 2
static.security.default_ssl_method = 5
"""

YEALINK_BAD = b"""#!version:1.0.0.1
# the office's phones
account.1.enable = 1
account.1.user_name = 4711
account.1.password = 4711
account.1.sip_server.1.address = sip.example.com
account.1.sip_server.1.port = 5061
account.1.sip_server.1.transport_type = 0
account.1.srtp_encryption = 2
account.2.user_name = 4712
account.2.password = q8Zt-uYb.20xL
account.2.sip_server.1.transport_type = 2
account.2.srtp_encryption = 0
static.auto_provision.server.url = http://prov.example.com/y/
static.auto_provision.pnp_enable = 1
static.zero_touch.enable = 1
static.security.trust_certificates = 0
static.security.cn_validation = 0
static.security.ca_cert = 0
static.trusted_certificates.url = http://prov.example.com/ca.pem
static.security.default_ssl_method = 0
static.security.user_password = admin:admin
ldap.enable = 1
ldap.host = ldap.example.com
ldap.tls_mode = 0
action_url.incoming_call = http://crm.example.com/call?from=$remote
remote_phonebook.data.1.url = https://book:geheim123@book.example.com/x.xml
"""

YEALINK_TEMPLATE = b"""{# the phones of one customer #}
#!version:1.0.0.1
{% for line in lines %}
account.{{ line.n }}.user_name = {{ line.user }}
account.{{ line.n }}.password = {{ line.password }}
account.{{ line.n }}.sip_server.1.transport_type = {% if tls %}2{% else %}0{% endif %}
{% endfor %}
{% if strict %}static.security.cn_validation = 0{% endif %}
static.auto_provision.server.url = http://{{ host }}/y/
static.security.user_password = admin:{{ admin_password }}
"""

POLY_BAD = b"""<?xml version="1.0" encoding="UTF-8"?>
<PHONE_CONFIG>
  <reg reg.1.address="4711" reg.1.auth.userId="4711" reg.1.auth.password="4711"
    reg.1.server.1.address="sip.example.com" reg.1.server.1.transport="UDPOnly"
    reg.1.srtp.enable="1" reg.1.srtp.require="1" />
  <device device.set="1"
    device.prov.serverType="HTTP" device.prov.serverType.set="1"
    device.prov.serverName="prov.example.com/poly"
    device.prov.ztpEnabled="1" device.prov.ztpEnabled.set="1"
    device.sec.TLS.prov.strictCertCommonNameValidation="0"
    device.sec.TLS.profile.cipherSuite1="RC4:AES128-SHA:!aNULL"
    device.sec.TLS.protocol.prov="TLSv1_0" />
</PHONE_CONFIG>
"""

POLY_TEMPLATE = b"""<?xml version="1.0"?>
{if $strict}
<a sec.TLS.SIP.strictCertCommonNameValidation="0"
{else}
<a sec.TLS.SIP.strictCertCommonNameValidation="1"
{/if}
   reg.1.address="{$user}" reg.1.auth.password="{$pass|escape:'html'}"
   log.render.file="[PHONE_MAC_ADDRESS]-app.log" />
"""

GRANDSTREAM_BAD = b"""<?xml version="1.0" encoding="UTF-8" ?>
<gs_provision version="1">
  <config version="1">
    <P271>1</P271>
    <P35>4711</P35>
    <P34>abcabcab</P34>
    <P47>sip.example.com</P47>
    <P130>1</P130>
    <P183>1</P183>
    <P212>1</P212>
    <P237>prov.example.com/gs</P237>
    <P8463>0</P8463>
    <P22030></P22030>
    <P22293>10</P22293>
    <P8020>ldap.example.com</P8020>
    <P8037>0</P8037>
  </config>
</gs_provision>
"""

GRANDSTREAM_NAMES = b"""<gs_provision version="1"><config version="2">
<item name="account.1.sip.userid">4711</item>
<item name="account.1"><part name="sip.transport">Udp</part></item>
<item name="security.validate.serverCertificate">No</item>
<item name="security.minimum.tls.version">TLS_1_0</item>
</config></gs_provision>
"""

GRANDSTREAM_PHP = b"""<?xml version="1.0"?>
<gs_provision version="1"><config version="1">
<?php foreach ($lines as $n => $line): ?>
<P34><?= $line['password'] ?></P34>
<?php endforeach; ?>
<P212>0</P212>
<P130><?php echo $tls ? 2 : 0 ?></P130>
</config></gs_provision>
"""

SNOM_BAD = b"""<?xml version="1.0" encoding="utf-8"?>
<settings>
<phone-settings>
<user_name idx="1" perm="R">4711</user_name>
<user_pass idx="1" perm="R">12345678</user_pass>
<user_host idx="1" perm="R">sip.example.com</user_host>
<user_outbound idx="1" perm="R">sip.example.com:5061;transport=tcp</user_outbound>
<user_savp idx="1" perm="R">mandatory</user_savp>
<check_fqdn_against_server_cert perm="R">off</check_fqdn_against_server_cert>
<empty_tls_client_cert perm="R">on</empty_tls_client_cert>
<setting_server perm="RW">http://prov.example.com/{mac}.xml</setting_server>
<ldap_server perm="">ldap.example.com</ldap_server>
<ldap_over_tls perm="">off</ldap_over_tls>
<action_incoming_url perm="">http://crm.example.com/$remote</action_incoming_url>
<admin_mode_password perm="">geheim</admin_mode_password>
</phone-settings>
<functionKeys>
<fkey idx="0" context="active" label="Door" perm="">url http://door.example.com/open</fkey>
</functionKeys>
<certificates><certificate url="http://prov.example.com/ca.der" /></certificates>
</settings>
"""

EVERY = {
    "yealink": YEALINK_BAD, "poly": POLY_BAD, "grandstream": GRANDSTREAM_BAD,
    "names": GRANDSTREAM_NAMES, "snom": SNOM_BAD, "good": YEALINK_GOOD,
    "yealink template": YEALINK_TEMPLATE, "poly template": POLY_TEMPLATE,
    "php": GRANDSTREAM_PHP,
}  # fmt: skip
SECRETS = (
    "vK3-mQ9.tRw8",
    "q8Zt-uYb.20xL",
    "geheim123",
    "abcabcab",
    "12345678",
    "geheim",
)
"""Passwords in these files, which nothing may print."""
