// Spend the code behind '#' in this page's own address, then show the runs. The code is taken out of
// the address at once, so that no history keeps it.

const code = location.hash.slice(1);
const says = document.getElementById("says");

if (code) {
  history.replaceState(null, "", "/open");
  const answer = await fetch("/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  if (answer.ok) location.replace("/");
  else says.textContent = (await answer.json()).detail;
}
