"""Contenders against one another.

comparison      figures, and paired differences with a verdict
endpoints       what is compared: functions of sums over dates
overfitting     worse on a fold than on the training rows, by how much
text            a comparison as tables
figure          a comparison as a picture
"""
